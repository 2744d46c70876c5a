"""The rows of the results store as value objects."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from vod_migrate.fingerprint import added, fingerprint
from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.spec import Brakes, Migration, Mode, RunOptions
from vod_migrate.window import Window

__all__ = [
    "SAMPLES",
    "CallRecord",
    "Counts",
    "Listing",
    "Run",
    "Scan",
    "Settlement",
    "Signal",
    "Taken",
    "Work",
    "joined_samples",
]

SAMPLES = 5
"""Enough to see what the objects left out for one reason have in common."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a migration, with the file as it was when the run was prepared."""

    run_id: str
    account: str
    migration: str
    bucket: str
    mode: Mode
    options: RunOptions
    spec: Migration
    local_date: dt.date | None = None
    origin: str = "cli"
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_group: str | None = None
    state: str = "running"
    stop_code: str | None = None
    stop_message: str | None = None
    created_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    summary: Mapping[str, Any] | None = None
    region: str = ""
    reopened_at: dt.datetime | None = None

    @property
    def adopts(self) -> bool:
        """Whether the run goes on with what earlier runs left: it is narrowed by no option.

        A run of mode failed goes on only with what runs of that mode left.
        """
        chosen = self.options
        narrowing = (chosen.limit, chosen.prefixes, chosen.modified_since, chosen.date, chosen.codes)
        return all(option is None for option in narrowing)

    @property
    def goes_on(self) -> bool:
        """Whether the run takes over anything: all that is left, or the rest of the one that it resumes."""
        return self.adopts or self.options.resume is not None

    @property
    def rest_of(self) -> str | None:
        """The only run whose rest this one takes over; None where it takes over from all."""
        return None if self.adopts else self.options.resume

    @property
    def brakes(self) -> Brakes:
        """What the run may do at most: the file's brakes, or its own where it was given some."""
        chosen, given = self.options, self.spec.brakes
        return Brakes(
            max_objects=given.max_objects if chosen.max_objects is None else chosen.max_objects,
            max_calls=given.max_calls if chosen.max_calls is None else chosen.max_calls,
            max_minutes=given.max_minutes if chosen.max_minutes is None else chosen.max_minutes,
        )

    @property
    def window(self) -> Window | None:
        """When the run may send; None: always."""
        return None if self.options.ignore_window else self.spec.opening

    @property
    def bound(self) -> bool:
        """Whether the run may send only what a person has approved."""
        return self.options.approve is not None or self.spec.require_approval

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the query get_run."""
        return cls(
            run_id=row[0],
            account=row[1],
            migration=row[2],
            bucket=row[3],
            mode=Mode(row[4]),
            options=RunOptions.model_validate(row[5]),
            spec=Migration.model_validate(row[6]),
            local_date=row[7],
            origin=row[8],
            dag_id=row[9],
            dag_run_id=row[10],
            task_group=row[11],
            state=row[12],
            stop_code=row[13],
            stop_message=row[14],
            created_at=row[15],
            finished_at=row[16],
            summary=row[17],
            region=row[18],
            reopened_at=row[19],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """What a run's workers look at every second. now: the database's clock; scopes: the paces of the run's and its migration's own."""

    state: str
    stop_code: str | None
    stop_message: str | None
    now: dt.datetime
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
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

    def after(self, listing: Listing, fates: Mapping[str, int], *, over_limit: Sequence[str]) -> Scan:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A claimed result: the object, and how often it was answered about before."""

    result_id: int
    object: MediaObject
    attempts: int = 0
    no_answers: int = 0

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the query claim_results."""
        found = MediaObject(
            bucket=row[1],
            key=row[2],
            size=row[3],
            etag=row[4],
            last_modified=row[5],
            storage_class=row[6],
            row=row[9] or {},
        )
        return cls(result_id=row[0], object=found, attempts=row[7], no_answers=row[8])


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a run's brakes still allow. call: whether one more call; objects: counted for it now; known: sent in this run before."""

    call: bool
    objects: tuple[int, ...]
    known: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """The audit row of one call. answer: ok, throttled, refused, transient or stopped.

    carried: the results it carried, where the answer had no outcome for each of them.
    """

    call_id: uuid.UUID
    worker: str
    started_at: dt.datetime
    seconds: float
    answer: str
    files: int
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    carried: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What an outcome does to a result: outcome is what the run counts, state what the result becomes."""

    result_id: int
    outcome: str
    state: str
    media_id: str | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    description: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """The numbers of a run.

    discovered: objects listed, = left out + owned elsewhere + changed + unchanged + failed before + queued elsewhere
    + those that this run has to send + rows that failed by themselves. pending and unknown: not settled (to be sent; of unknown outcome).
    already_registered: VOD knew the file; unchanged: settled by an earlier run, so not sent.
    """

    discovered: int = 0
    registered: int = 0
    already_registered: int = 0
    failed: int = 0
    pending: int = 0
    unknown: int = 0
    changed: int = 0
    gone: int = 0
    owned_elsewhere: int = 0
    unchanged: int = 0
    failed_before: int = 0
    queued_elsewhere: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    throttled: int = 0

    @classmethod
    def from_rows(
        cls,
        *,
        outcomes: Mapping[str, int],
        calls: Mapping[str, int],
        pending: Sequence[int],
        scans: Sequence[tuple[int, Mapping[str, int], Mapping[str, int]]],
    ) -> Self:
        """From the rows of one run."""
        fates: dict[str, int] = {}
        left_out: dict[str, int] = {}
        for _, counts, reasons in scans:
            fates = _added(fates, counts)
            left_out = _added(left_out, reasons)
        return cls(
            discovered=sum(listed for listed, _, _ in scans),
            registered=outcomes.get("registered", 0),
            already_registered=outcomes.get("already_registered", 0),
            failed=outcomes.get("failed", 0),
            pending=pending[0],
            unknown=pending[1],
            changed=fates.get("changed", 0),
            gone=fates.get("gone", 0),
            owned_elsewhere=fates.get("owned_elsewhere", 0),
            unchanged=fates.get("unchanged", 0),
            failed_before=fates.get("failed_before", 0),
            queued_elsewhere=fates.get("queued_elsewhere", 0),
            left_out=dict(sorted(left_out.items())),
            calls=sum(calls.values()),
            throttled=calls.get("throttled", 0),
        )

    @property
    def settled(self) -> int:
        """Objects that this run brought to an end."""
        return self.registered + self.already_registered + self.failed

    def as_json(self) -> dict[str, Any]:
        """The `counts` of a run's JSON line."""
        return {
            "discovered": self.discovered,
            "registered": self.registered,
            "already_registered": self.already_registered,
            "failed": self.failed,
            "pending": self.pending,
            "unknown": self.unknown,
            "changed": self.changed,
            "gone": self.gone,
            "owned_elsewhere": self.owned_elsewhere,
            "unchanged": self.unchanged,
            "failed_before": self.failed_before,
            "queued_elsewhere": self.queued_elsewhere,
            "left_out": dict(self.left_out),
        }


def joined_samples(have: Mapping[str, Sequence[str]], more: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Samples by reason, the first SAMPLES of each."""
    joined = {reason: [*have.get(reason, ()), *more.get(reason, ())][:SAMPLES] for reason in sorted({*have, *more})}
    return {reason: kept for reason, kept in joined.items() if kept}


def _added(have: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: have.get(name, 0) + more.get(name, 0) for name in sorted({*have, *more})}
