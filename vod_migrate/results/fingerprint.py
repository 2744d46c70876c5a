"""Which objects were selected, as one number: the same for the same objects in any order and any pages.

Each object gives a SHA-256 of what a run's calls follow from; the fingerprint is their sum modulo 2**256, so that pages can be
added up and an object that is taken twice counts twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from vod_migrate.media import BrokenRow, MediaObject

NOTHING = "0" * 64
"""The fingerprint of no objects."""

_MODULUS = 1 << 256
_UNKNOWN = "\x01"


def fingerprint(objects: Iterable[MediaObject], broken: Iterable[BrokenRow] = ()) -> str:
    """64 hex digits for some selected objects, and rows of a manifest that cannot be used.

    Key, size, etag, time of the last change and the manifest's columns count; the storage class does not, because a lifecycle rule
    that moves objects changes nothing about what is sent.
    """
    total = sum(_digest(_words(found)) for found in objects)
    total += sum(_digest(f"\x02{row.key}\0{row.code}") for row in broken)
    return f"{total % _MODULUS:064x}"


def added(one: str, other: str) -> str:
    """The fingerprint of two parts together; '' counts as nothing."""
    return f"{(int(one or '0', 16) + int(other or '0', 16)) % _MODULUS:064x}"


def _words(found: MediaObject) -> str:
    modified = _UNKNOWN if found.last_modified is None else repr(found.last_modified.timestamp())
    size = _UNKNOWN if found.size is None else str(found.size)
    etag = _UNKNOWN if found.etag is None else found.etag
    row = json.dumps(dict(found.row), sort_keys=True, default=str) if found.row else ""
    # A key holds no NUL, so no two objects give the same words.
    return f"{found.key}\0{size}\0{etag}\0{modified}\0{row}"


def _digest(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode(errors="backslashreplace")).digest())
