"""An object as a listing shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

ARCHIVED_CLASSES: Final = frozenset({"Archive", "ColdArchive", "DeepColdArchive"})
HIGHEST: Final = "\U0010ffff"


class StoredObject(NamedTuple):
    """Key, size in bytes, ETag (MD5 form, upper hex, no quotes), storage class, ISO 8601 time, hidden from VOD."""

    key: str
    size: int
    etag: str
    storage_class: str
    last_modified: str
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An uploaded object with its content. `crc64` is the decimal x-oss-hash-crc64ecma."""

    entry: StoredObject
    content: bytes
    content_type: str
    crc64: str
    metadata: dict[str, str]


@dataclass(slots=True, kw_only=True)
class UnfinishedUpload:
    """A multipart upload that was begun. `parts` are by number, `begun` is ISO 8601."""

    key: str
    begun: str
    storage_class: str
    content_type: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


def after_all(prefix: str) -> str:
    """The smallest key above every key that begins with `prefix`; empty if there is none.

    Comparing `str` by code point is comparing UTF-8 by bytes.
    """
    for end in range(len(prefix), 0, -1):
        last = ord(prefix[end - 1])
        if last < ord(HIGHEST):
            following = 0xE000 if last == 0xD7FF else last + 1  # noqa: PLR2004 - surrogates are not characters
            return prefix[: end - 1] + chr(following)
    return ""
