"""The documented limits of RegisterMetadata, in UTF-8 bytes, and what a policy does to a value that exceeds one.

Limits: RegisterMedia page, 2025-12 (Title, Description, Tags, CoverURL, ReferenceId); no emoji in Title, Description and Tags:
the Chinese edition of the same page; categories: AddCategory page (3 levels, names of 64 bytes).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import regex

from vod_migrate.media import Rejected

TITLE_BYTES = 128
DESCRIPTION_BYTES = 1_024
MOST_TAGS = 16
TAG_BYTES = 32
URL_BYTES = 1_024
CATEGORY_LEVELS = 3
CATEGORY_BYTES = 64
LARGEST_CATE_ID = 2**63 - 1
"""A Long."""

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{6,64}")
# What VOD counts as emoji is not documented. These are the emoji of UTS #51: what is drawn as a picture by itself, and the sequences that
# ask for a picture. Digits, # * © ® ™ and ★ are text as long as nothing asks for more.
_PICTURE = r"(?:\p{RI}\p{RI}|\p{Emoji}(?:\p{EMod}|\uFE0F\u20E3?|\u20E3|[\U000E0020-\U000E007E]+\U000E007F)|\p{Emoji_Presentation})"
_EMOJI = regex.compile(rf"(?:{_PICTURE}(?:\u200D(?:{_PICTURE}|\p{{Emoji}}))*|[\uFE0F\u20E3])+")
_LETTER = regex.compile(r"\X")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What a policy did to one field."""

    field: str
    text: str


def without_emoji(text: str) -> str:
    """The text without the characters that VOD does not accept in a Title, Description or Tags."""
    return str(_EMOJI.sub("", text))


def plain(text: str, *, keep: str = "") -> str:
    """The text with a space for each control character, line separator and lone surrogate; `keep` stays."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in keep else character
        for character in text
    )


def cut_to_bytes(text: str, limit: int) -> str:
    """The longest beginning of a text within a number of UTF-8 bytes that ends with a whole letter (UAX #29)."""
    if len(text.encode()) <= limit:
        return text
    end = size = 0
    for letter in _LETTER.finditer(text):
        size += len(letter.group().encode())
        if size > limit:
            break
        end = letter.end()
    return text[:end]


def fit_text(field: str, text: str, limit: int, policy: str, notes: list[Note], *, keep: str = "") -> str | None:
    """A title, description or tag within its limit; None if it is dropped or nothing is left.

    Raises:
        Rejected: `<field>_emoji`, `<field>_too_long`.
    """
    text = unicodedata.normalize("NFC", plain(text, keep=keep)).strip()
    bare = text if text.isascii() else without_emoji(text)
    if bare != text:
        if policy == "fail":
            raise Rejected(f"{field}_emoji", f"the {field} contains emoji, which VOD does not accept: {_shown(text)}")
        if policy == "drop":
            notes.append(Note(field=field, text="dropped: it contains emoji, which VOD does not accept"))
            return None
        notes.append(Note(field=field, text=f"emoji removed: {_characters(text, bare)}"))
        text = bare.strip()
    size = len(text.encode())
    if size > limit:
        length = f"{size:,} bytes; VOD allows {limit:,}"
        if policy == "fail":
            raise Rejected(f"{field}_too_long", f"the {field} has {length}: {_shown(text)}")
        if policy == "drop":
            notes.append(Note(field=field, text=f"dropped: it has {length}"))
            return None
        text = cut_to_bytes(text, limit).strip()
        notes.append(Note(field=field, text=f"cut from {size:,} to {len(text.encode()):,} bytes"))
    return text or None


def fit_tags(texts: Iterable[str], policy: str, notes: list[Note]) -> tuple[str, ...]:
    """The tags within their limits, without empty and repeated ones, in order.

    Raises:
        Rejected: tag_emoji, tag_too_long, too_many_tags.
    """
    tags: list[str] = []
    for text in texts:
        for part in text.split(","):
            own: list[Note] = []
            tag = fit_text("tag", part, TAG_BYTES, policy, own)
            notes.extend(Note(field="tags", text=f"{_shown(part.strip())}: {note.text}") for note in own)
            if tag is not None and tag not in tags:
                tags.append(tag)
    if len(tags) > MOST_TAGS:
        if policy == "fail":
            raise Rejected("too_many_tags", f"there are {len(tags)} tags; VOD allows {MOST_TAGS}")
        notes.append(Note(field="tags", text=f"cut from {len(tags)} to the first {MOST_TAGS} tags"))
    return tuple(tags[:MOST_TAGS])


def check_url(url: str) -> Rejected | None:
    """Why a text is not a valid CoverURL; None if it is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host or _NOT_IN_URL.search(url):
        return Rejected("bad_cover_url", f"not a valid cover URL: {_shown(url)}")
    size = len(url.encode())
    if size > URL_BYTES:
        return Rejected("cover_url_too_long", f"the cover's URL has {size:,} bytes; VOD allows {URL_BYTES:,}")
    return None


def check_path(path: tuple[str, ...]) -> Rejected | None:
    """Why a category path cannot exist; None if it can."""
    shown = "/".join(path)
    if not all(path):
        return Rejected("bad_category", f"the category path {_shown(shown)} has a level without a name")
    if len(path) > CATEGORY_LEVELS:
        return Rejected(
            "category_too_deep",
            f"the category path {_shown(shown)} has {len(path)} levels; VOD allows {CATEGORY_LEVELS}",
        )
    for name in path:
        size = len(name.encode())
        if size > CATEGORY_BYTES:
            return Rejected(
                "category_name_too_long",
                f"the category name {_shown(name)} has {size} bytes; VOD allows {CATEGORY_BYTES}",
            )
    return None


def check_cate_id(text: str) -> Rejected | None:
    """Why a text is not a CateId; None if it is."""
    if text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= LARGEST_CATE_ID:  # noqa: PLR2004 - digits of a Long
        return None
    return Rejected("bad_cate_id", f"{_shown(text)} is not a CateId, which is a positive whole number")


def check_reference(text: str) -> Rejected | None:
    """Why a text is not a ReferenceId; None if it is."""
    if _REFERENCE.fullmatch(text):
        return None
    return Rejected(
        "bad_reference_id",
        f"the ReferenceId {_shown(text)} is not 6 to 64 of A-Z a-z 0-9 _ - ({len(text)} characters)",
    )


def _characters(text: str, bare: str) -> str:
    gone = [character for character in dict.fromkeys(text) if character not in bare]
    return " ".join(f"U+{ord(character):04X}" for character in gone[:5]) + (" …" if len(gone) > 5 else "")  # noqa: PLR2004 - readable length


def _shown(text: str) -> str:
    safe = text.encode(errors="replace").decode()
    return repr(safe if len(safe) <= 80 else safe[:80] + "…")  # noqa: PLR2004 - readable length
