"""One page of a source: what discovery hands on, wherever its objects come from."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from vod_migrate.media import BrokenRow, MediaObject

PAGE_KEYS = 1000
"""The most that ListObjectsV2 gives in one page (its reference page; the default is 100)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPage:
    """One page as its source gave it. cursor: where the next page begins, None on the last.

    playlists: folders (ending in '/', '' for the top) that hold an HLS playlist, as far as the page's segments need it.
    fetched: when its request was sent, on the monotonic clock. broken, left_out, samples, rows: of a manifest or inventory; see `Listing`.
    """

    objects: tuple[MediaObject, ...]
    cursor: str | None
    playlists: Container[str] = frozenset()
    broken: tuple[BrokenRow, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rows: int = 0
    fetched: float | None = None
