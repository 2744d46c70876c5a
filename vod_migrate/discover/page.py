"""One page of a source: what discovery hands on, wherever its objects come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vod_migrate.media import BrokenRow, MediaObject

PAGE_KEYS = 1000
"""The most that ListObjectsV2 gives in one page (its reference page; the default is 100)."""

LONGEST_KEY = 1023
"""Bytes of an object's name (PutObject page), and so of one that a listing begins behind (reference page of ListObjectsV2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPage:
    """One page as its source gave it. cursor: where the next page begins, None on the last.

    parts: keys that are only parts of a stream, with the reason for which they are left out; suspects: keys that may be.
    fetched: when its request was sent, on the monotonic clock. until: how far it speaks, where that is further than its last key; digest: of its
    objects as OSS sent them; elements: these bytes, where they are asked for. broken, left_out, samples, rows: of a manifest or inventory; see `SelectedPage`.
    """

    objects: tuple[MediaObject, ...]
    cursor: str | None
    parts: Mapping[str, str] = field(default_factory=dict)
    suspects: frozenset[str] = frozenset()
    broken: tuple[BrokenRow, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: int = 0
    fetched: float | None = None
    until: str | None = None
    digest: bytes | None = None
    elements: bytes = b""


def digest_of(objects: bytes) -> bytes:
    """Of objects as OSS sent them, 16 bytes."""
    return hashlib.blake2b(objects, digest_size=16).digest()
