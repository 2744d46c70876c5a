"""RegisterMetadatas: the rules of the RegisterMedia page, each with its own message.

Limits: RegisterMedia page, 2025-12; no emoji: the Chinese edition of the same page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from vod_migrate.sandbox.errors import VodError
from vod_migrate.sandbox.vod.categories import CategoryTree
from vod_migrate.sandbox.vod.library import NO_EXTRAS, Extras
from vod_migrate.sandbox.vod.parameters import check_bytes, invalid

MAX_FILES: Final = 10
MAX_URL_BYTES: Final = 1_024
MAX_TITLE_BYTES: Final = 128
MAX_DESCRIPTION_BYTES: Final = 1_024
MAX_TAGS: Final = 16
MAX_TAG_BYTES: Final = 32

_KEYS: Final = frozenset({"FileURL", "Title", "Description", "Tags", "CoverURL", "CateId", "ReferenceId"})
_URL: Final = re.compile(r"(?i:https?)://([^/?#]*)/(.+)", re.DOTALL)
_HOST: Final = re.compile(r"([a-z0-9][a-z0-9-]{1,61}[a-z0-9])\.oss-([a-z0-9-]+)\.aliyuncs\.com")
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_-]{6,64}")
# Pictographs, dingbats, flags, keycaps, and the joiners and variation selectors that only emoji use.
_EMOJI: Final = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u2328\u23cf\u23e9-\u23f3"
    "\u23f8-\u23fa\ufe0f\u20e3\u200d\U000e0020-\U000e007f]"
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """One file to register. `path` follows the host in its FileURL, as it was sent."""

    file_url: str
    bucket: str
    region: str
    path: str
    title: str
    extras: Extras


def read_metadatas(text: str, categories: CategoryTree) -> list[Metadata]:
    """The files of a call, 1 to 10, of one storage address."""
    try:
        items = json.loads(text)
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise invalid("RegisterMetadatas", "it must be a JSON list")
    if not 1 <= len(items) <= MAX_FILES:
        raise invalid("RegisterMetadatas", f"it must have 1 to {MAX_FILES} files, not {len(items)}")
    files = [_read(place, item, categories) for place, item in enumerate(items)]
    if len({(file.bucket, file.region) for file in files}) > 1:
        raise invalid("RegisterMetadatas", "all files must have the same storage address")
    return files


def _read(place: int, item: object, categories: CategoryTree) -> Metadata:
    where = f"RegisterMetadatas[{place}]"
    if not isinstance(item, dict):
        raise invalid(where, "it must be an object")
    unknown = item.keys() - _KEYS
    if unknown:
        raise invalid(f"{where}.{min(unknown)}", f"unknown; known: {', '.join(sorted(_KEYS))}")
    url = read_text(where, item, "FileURL", MAX_URL_BYTES)
    title = read_text(where, item, "Title", MAX_TITLE_BYTES)
    if not url:
        raise invalid(f"{where}.FileURL", "it is required")
    if not title:
        raise invalid(f"{where}.Title", "it is required")
    no_emoji(f"{where}.Title", title)
    bucket, region, path = _locate(f"{where}.FileURL", url)
    extras = read_extras(where, item, categories) if len(item) > len(("FileURL", "Title")) else NO_EXTRAS
    return Metadata(file_url=url, bucket=bucket, region=region, path=path, title=title, extras=extras)


def _locate(where: str, url: str) -> tuple[str, str, str]:
    found = _URL.fullmatch(url)
    if found is None:
        raise invalid(where, "it must be http(s)://<bucket>.oss-<region>.aliyuncs.com/<object>")
    host, path = found[1].lower(), found[2]
    if host.endswith("-internal.aliyuncs.com"):
        raise invalid(where, "it must have the public endpoint of the bucket, not the internal one")
    address = _HOST.fullmatch(host)
    if address is None:
        raise invalid(where, "its host must be <bucket>.oss-<region>.aliyuncs.com")
    return address[1], address[2], path


def read_extras(where: str, item: dict[str, Any], categories: CategoryTree) -> Extras:
    """The optional metadata of one file."""
    description = read_text(where, item, "Description", MAX_DESCRIPTION_BYTES)
    tags = read_text(where, item, "Tags", None)
    cover_url = read_text(where, item, "CoverURL", MAX_URL_BYTES)
    reference_id = read_text(where, item, "ReferenceId", None)
    no_emoji(f"{where}.Description", description or "")
    if tags is not None:
        _check_tags(f"{where}.Tags", tags)
    if reference_id is not None and not _REFERENCE.fullmatch(reference_id):
        raise invalid(f"{where}.ReferenceId", "it must have 6 to 64 of A-Z a-z 0-9 - _")
    return Extras(
        description=description,
        tags=tags,
        cover_url=cover_url,
        cate_id=_category(f"{where}.CateId", item, categories),
        reference_id=reference_id,
    )


def read_text(where: str, item: dict[str, Any], name: str, most: int | None) -> str | None:
    """A text of at most `most` bytes, None if it is not given."""
    if name not in item:
        return None
    value = item[name]
    if not isinstance(value, str):
        raise invalid(f"{where}.{name}", "it must be a string")
    if _SURROGATE.search(value):
        raise invalid(f"{where}.{name}", "it must be UTF-8")
    if most is not None:
        check_bytes(f"{where}.{name}", value, most)
    return value


def _check_tags(where: str, text: str) -> None:
    tags = text.split(",")
    if len(tags) > MAX_TAGS:
        raise invalid(where, f"at most {MAX_TAGS} tags are allowed, not {len(tags)}")
    for tag in tags:
        check_bytes(where, tag, MAX_TAG_BYTES)
    no_emoji(where, text)


def _category(where: str, item: dict[str, Any], categories: CategoryTree) -> int | None:
    if "CateId" not in item:
        return None
    value = item["CateId"]
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(where, "it must be a whole number")
    if value not in categories:
        raise VodError("InvalidCateId.NotFound", 404, f"{where}: the category {value} does not exist.")
    return value


def no_emoji(where: str, text: str) -> None:
    """Refuse a text with emoji."""
    if not text.isascii() and _EMOJI.search(text):
        raise invalid(where, "emoji are not supported")
