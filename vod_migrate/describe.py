"""Key → description and FileURL, within the documented limits, counted in UTF-8 bytes.

What cannot be described is a refusal with a code: a result of its own, and no call.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vod_migrate.media import Description, Entry, MediaObject
from vod_migrate.spec import Migration

__all__ = ["Describer", "Refusal", "cut_to_bytes", "file_url", "without_emoji"]

TITLE_BYTES = 128
URL_BYTES = 1024
"""RegisterMedia page, 2025-12: titles up to 128 bytes, URLs up to 1,024 bytes."""

# What VOD counts as emoji is not documented; these are the blocks that Unicode draws as pictures, with their joiners.
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U000e0020-\U000e007f\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff"
    "\ufe00-\ufe0f\u200d\u20e3\u3030\u303d\u3297\u3299]+"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An object that cannot be sent as it is."""

    code: str
    message: str


class Describer:
    """The description rules of one migration, for one storage address."""

    def __init__(self, migration: Migration, *, storage_address: str) -> None:
        self.storage_address = storage_address
        self._encoding = migration.register_.url_encoding
        environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        self._title = environment.from_string(migration.describe.title)
        manifest = migration.source.manifest
        self._titled = manifest is not None and manifest.columns.title is not None

    def describe(
        self, found: MediaObject, *, result_id: int, attempts: int = 0, no_answers: int = 0
    ) -> Entry | Refusal:
        """An entry ready to send, or why there is none."""
        url = file_url(self.storage_address, found.key, encoding=self._encoding)
        length = len(url.encode())
        if length > URL_BYTES:
            return Refusal(
                code="url_too_long",
                message=f"the FileURL has {length} bytes, RegisterMedia takes {URL_BYTES}: rename the object to a shorter key",
            )
        try:
            title = self._from_row(found) or self._title.render(facts(found))
        except Exception as error:  # noqa: BLE001 - a person's template may raise anything
            return Refusal(code="title_template", message=f"describe.title fails for this key: {error}")
        return Entry(
            result_id=result_id,
            bucket=found.bucket,
            key=found.key,
            file_url=url,
            description=Description(title=_title(title, found)),
            attempts=attempts,
            no_answers=no_answers,
        )

    def _from_row(self, found: MediaObject) -> str:
        # A column that is named for a field stands in the row under the field's own name.
        value = found.row.get("title") if self._titled else None
        return "" if value is None else str(value).strip()


def facts(found: MediaObject) -> Mapping[str, Any]:
    """What a template may use about an object."""
    folder, _, name = found.key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return {
        "key": found.key,
        "bucket": found.bucket,
        "name": name,
        "stem": stem if dot and stem else name,
        "extension": extension if dot and stem else "",
        "folder": folder.rpartition("/")[2],
        "folders": folder.split("/") if folder else [],
        "size": found.size,
        "last_modified": None if found.last_modified is None else found.last_modified.astimezone(dt.UTC),
        "row": found.row,
    }


def file_url(storage_address: str, key: str, *, encoding: str = "percent") -> str:
    """The public URL of an object. encoding: 'percent' encodes all but unreserved characters and '/', 'raw' nothing."""
    path = quote(key, safe="/~") if encoding == "percent" else key
    return f"https://{storage_address}/{path}"


def without_emoji(text: str) -> str:
    """The text without the characters that VOD does not take in a Title, Description or Tags."""
    return _EMOJI.sub("", text)


def cut_to_bytes(text: str, limit: int) -> str:
    """The longest beginning of a text within a number of UTF-8 bytes, never ending inside a character."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    cut = encoded[:limit].decode(errors="ignore")
    # A mark belongs to the letter before it: where the cut parts them, the letter goes too.
    if unicodedata.combining(text[len(cut)]):
        while cut and unicodedata.combining(cut[-1]):
            cut = cut[:-1]
        cut = cut[:-1]
    return cut


def _title(rendered: str, found: MediaObject) -> str:
    # A template may come out empty, as `{{ folder }}` does for an object at the top of its bucket.
    for wording in (rendered, facts(found)["stem"]):
        text = cut_to_bytes(_plain(wording).strip(), TITLE_BYTES).strip()
        if text:
            return text
    # A name of emoji only still needs a title: its code points are one that a person can look up.
    name = found.key.rpartition("/")[2] or found.key
    return cut_to_bytes(" ".join(f"U+{ord(character):04X}" for character in name), TITLE_BYTES).strip()


def _plain(text: str) -> str:
    spaced = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character for character in text
    )
    return without_emoji(spaced)
