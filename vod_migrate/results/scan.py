"""A scan, and a listed page after selection, as value objects."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.results.fingerprint import added, fingerprint
from vod_migrate.results.notes import Notes
from vod_migrate.results.stop_code import SourceCode

SAMPLES = 5
"""Enough to see what the objects left out for one reason have in common."""


class ScanKind(StrEnum):
    """What a scan goes through: the keys below a prefix, the rows of a manifest or inventory, what earlier runs left, a plan."""

    PREFIX = "prefix"
    ROWS = "rows"
    LEFTOVERS = "leftovers"
    APPROVAL = "approval"


@dataclass(frozen=True, kw_only=True, slots=True)
class SelectedPage:
    """One listed page after selection.

    keys: all that were listed and that Postgres can hold; listed: how many objects and rows there were; cursor: None on the
    last. samples: up to SAMPLES keys (or rows) for each reason in left_out; broken: rows that are failed objects of their own.
    fetched: when its request was sent, on this process's monotonic clock; None for now. until: how far a page of a listing speaks, where
    that is further than its last key.

    For the next listing of the same: digest, of the objects as OSS sent them (None: it is not to go by this page); folders: those with
    playlists; due: when what was decided ends by itself; again: whether what was decided follows from other objects, too.
    """

    keys: tuple[str, ...]
    listed: int
    selected: tuple[MediaObject, ...]
    left_out: Mapping[str, int]
    cursor: str | None
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    broken: tuple[BrokenRow, ...] = ()
    fetched: float | None = None
    notes: Notes = field(default_factory=Notes)
    until: str | None = None
    digest: bytes | None = None
    folders: tuple[str, ...] = ()
    due: dt.datetime | None = None
    again: bool = False

    @property
    def last_key(self) -> str | None:
        """How far the page speaks: to its last key, or further; None when it is empty."""
        return self.until or (self.keys[-1] if self.keys else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRange:
    """Objects that a listing found between two keys: those after the range before it, up to `until`.

    listed: how many keys; digest: of their elements as OSS sent them; settled: nothing in it waits; told: what it adds to its scan.
    """

    until: str
    listed: int
    digest: bytes
    settled: bool
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folders(self) -> Sequence[str]:
        """The folders with playlists in it."""
        return list(self.told.get("folders", ()))

    @staticmethod
    def told_of(page: SelectedPage, counts: Mapping[str, int]) -> dict[str, Any]:
        """What a page adds to its scan, as it is stored; empty parts are left out."""
        told = {
            "counts": dict(counts),
            "selected": len(page.selected),
            "fingerprint": fingerprint(page.selected),
            "left_out": dict(page.left_out),
            "samples": {reason: list(keys) for reason, keys in page.samples.items()},
            "notes": page.notes.as_json(),
            "folders": list(page.folders),
        }
        return {name: part for name, part in told.items() if part or name == "counts"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """An object that an ended run left, how often it was answered about, and the mode of that run."""

    object: MediaObject
    mode: str
    attempts: int = 0
    no_answers: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scan:
    """What a run has to list.

    whole: neither limit nor date filter, so what it does not find is gone; of leftovers, that what the file selects depends on no date.

    page_no, page_nonce, cursor: where it stands, exactly. selected, fingerprint: how many objects the selection kept so far, and
    which; see fingerprint.py. limited: the last page reached the run's limit.
    """

    scan_id: int
    prefix: str
    whole: bool
    kind: ScanKind = ScanKind.PREFIX
    state: str = "open"
    cursor: str | None = None
    last_key: str | None = None
    page_no: int = 0
    page_nonce: uuid.UUID | None = None
    listed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Notes = field(default_factory=Notes)
    limited: bool = False
    selected: int = 0
    fingerprint: str = ""
    error_code: SourceCode | None = None
    error: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From the queries about scans."""
        code = None if row["error_code"] is None else SourceCode(row["error_code"])
        notes = Notes.from_json(row["notes"])
        return cls(**{**row, "kind": ScanKind(row["kind"]), "notes": notes, "error_code": code})

    def after(self, page: SelectedPage, dispositions: Mapping[str, int], *, over_limit: Sequence[str]) -> Scan:
        """The scan once a page is merged. over_limit: keys that the run's limit left out."""
        counts = dict(dispositions)
        reasons = {"limit": len(over_limit)} if over_limit else {}
        if again := counts.pop("duplicate", 0):
            reasons["duplicate"] = again
        return replace(
            self,
            cursor=page.cursor,
            last_key=page.last_key or self.last_key,
            page_no=self.page_no + 1,
            listed=self.listed + page.listed,
            counts=summed(self.counts, counts),
            left_out=summed(summed(self.left_out, page.left_out), reasons),
            samples=joined_samples(joined_samples(self.samples, page.samples), {"limit": over_limit}),
            notes=self.notes.joined(page.notes),
            limited=bool(over_limit),
            selected=self.selected + len(page.selected),
            fingerprint=added(self.fingerprint, fingerprint(page.selected, page.broken)),
        )

    def past(self, ranges: Sequence[ListedRange], cursor: str) -> Scan:
        """The scan once it has passed ranges in which nothing changed. cursor: where it goes on."""
        counts, left_out, samples = dict(self.counts), dict(self.left_out), self.samples
        selected, total, notes = self.selected, self.fingerprint, self.notes
        for told in (one.told for one in ranges):
            for have, more in ((counts, told["counts"]), (left_out, told.get("left_out", {}))):
                for name, objects in more.items():
                    have[name] = have.get(name, 0) + objects
            if "samples" in told:
                samples = joined_samples(samples, told["samples"])
            if "notes" in told:
                notes = notes.joined(Notes.from_json(told["notes"]))
            selected += told.get("selected", 0)
            total = added(total, told.get("fingerprint", ""))
        return replace(
            self,
            cursor=cursor,
            last_key=ranges[-1].until,
            page_no=self.page_no + len(ranges),
            listed=self.listed + sum(one.listed for one in ranges),
            counts=counts,
            left_out=left_out,
            samples=samples,
            notes=notes,
            selected=selected,
            fingerprint=total,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRecord:
    """A stored plan. approved: None until somebody decides; kept: the queue with what it would send is still there."""

    run_id: str
    digest: str
    queue_no: int
    body: Mapping[str, Any]
    made_at: dt.datetime
    approved: bool | None = None
    decided_by: str | None = None
    decided_at: dt.datetime | None = None
    kept: bool = True


def joined_samples(have: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Samples by reason, the first SAMPLES of each."""
    joined = {reason: [*have.get(reason, ()), *more.get(reason, ())][:SAMPLES] for reason in sorted({*have, *more})}
    return {reason: kept for reason, kept in joined.items() if kept}


def summed(have: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    """Counts by name, added up."""
    return {name: have.get(name, 0) + more.get(name, 0) for name in sorted({*have, *more})}
