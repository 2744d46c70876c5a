"""A scan, and a listed page after selection, as value objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.results.fingerprint import added, fingerprint

SAMPLES = 5
"""Enough to see what the objects left out for one reason have in common."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedPage:
    """One listed page after selection.

    keys: all that were listed and that Postgres can hold; listed: how many objects and rows there were; cursor: None on the
    last. samples: up to SAMPLES keys (or rows) for each reason in left_out; broken: rows that are failed results of their own;
    rows: how many rows named no object, or one that stands in keys already.
    """

    keys: tuple[str, ...]
    listed: int
    selected: tuple[MediaObject, ...]
    left_out: Mapping[str, int]
    cursor: str | None
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    broken: tuple[BrokenRow, ...] = ()
    rows: int = 0

    @property
    def last_key(self) -> str | None:
        """The page's last key, None when it is empty."""
        return self.keys[-1] if self.keys else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """The listing of one prefix. whole: neither limit nor date filter, so what it does not find is gone.

    selected, fingerprint: how many objects the selection kept so far, and which; see fingerprint.py.
    """

    scan_id: int
    prefix: str
    whole: bool
    cursor: str | None = None
    last_key: str | None = None
    pages: int = 0
    listed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limited: bool = False
    selected: int = 0
    fingerprint: str = ""

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the queries open_scans and get_scan."""
        return cls(
            scan_id=row[0],
            prefix=row[1],
            whole=row[2],
            cursor=row[3],
            last_key=row[4],
            pages=row[5],
            listed=row[6],
            counts=row[7],
            left_out=row[8],
            samples=row[9],
            selected=row[10],
            fingerprint=row[11],
        )

    def after(self, listing: SelectedPage, fates: Mapping[str, int], *, over_limit: Sequence[str]) -> Scan:
        """The scan once a page is merged. over_limit: keys that the run's limit left out."""
        fates = dict(fates)
        reasons = {"limit": len(over_limit)} if over_limit else {}
        if again := fates.pop("duplicate", 0):
            reasons["duplicate"] = again
        return replace(
            self,
            cursor=listing.cursor,
            last_key=listing.last_key or self.last_key,
            pages=self.pages + 1,
            listed=self.listed + listing.listed,
            counts=_added(self.counts, fates),
            left_out=_added(_added(self.left_out, listing.left_out), reasons),
            samples=joined_samples(joined_samples(self.samples, listing.samples), {"limit": over_limit}),
            limited=bool(over_limit),
            selected=self.selected + len(listing.selected),
            fingerprint=added(self.fingerprint, fingerprint(listing.selected, listing.broken)),
        )


def joined_samples(have: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Samples by reason, the first SAMPLES of each."""
    joined = {reason: [*have.get(reason, ()), *more.get(reason, ())][:SAMPLES] for reason in sorted({*have, *more})}
    return {reason: kept for reason, kept in joined.items() if kept}


def _added(have: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: have.get(name, 0) + more.get(name, 0) for name in sorted({*have, *more})}
