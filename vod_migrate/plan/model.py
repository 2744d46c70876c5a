"""A plan as it is saved, printed and approved. Every number is of objects unless its name says otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from vod_migrate.plan.cost import Cost, PlanPart
from vod_migrate.report.model import FailureGroup, ReasonGroup


class PlannedPrefix(PlanPart):
    """What one scan found."""

    prefix: str
    listed: int
    selected: int


class StorageClass(PlanPart):
    """What is to be sent of one class; bytes as far as the sizes are known."""

    name: str
    count: int
    bytes: int


class Repeated(PlanPart):
    """One title, ReferenceId or file name that several of the objects to be sent have, with two of their keys."""

    text: str
    count: int
    keys: tuple[str, str]


class Duplicates(PlanPart):
    """Titles, ReferenceIds or file names that occur more than once: how many of them, on how many objects, the most frequent first."""

    texts: int = 0
    objects: int = 0
    samples: tuple[Repeated, ...] = ()


class SampleDescription(PlanPart):
    """What would be sent for one object. why: what makes its key worth looking at; metadata: the RegisterMetadata."""

    key: str
    why: str
    metadata: dict[str, Any]


class Batches(PlanPart):
    """The calls of the run. cut_short: those that hold fewer files because of `register.max_request_bytes`."""

    calls: int = 0
    files_per_call: float = 0.0
    cut_short: int = 0


class PlannedRate(PlanPart):
    """calls_per_second: the lowest of the account's, the migration's and the run's own; set_by: which of them that is."""

    calls_per_second: float
    set_by: str


class LookupCounts(PlanPart):
    """What the descriptions asked for. categories_to_make: paths that do not exist; covers: looked for, missing, taken on trust."""

    categories_to_make: int = 0
    category_samples: tuple[str, ...] = ()
    covers_checked: int = 0
    covers_missing: int = 0
    covers_trusted: int = 0


class Plan(PlanPart):
    """What a run would do.

    listed = left out + registered, changed, failed before + owned or queued elsewhere + new + again + `broken_rows`, but for leftovers that
    were listed, too. to_send + failing = new + again + leftovers + `broken_rows`, and so many outcomes the run has.

    settings: the migration as the run would store it; compared: what else must be the same for the plan to hold.
    window, pause_after: when the run may send, and after what it pauses, in words. runs: how many it takes to send all of it.
    selected, fingerprint: how many objects stand in the queue, and which. leftovers: of them, those that earlier runs left;
    leftovers_left_out: what the file no longer selects of what they left. to_restore: of what is left out as archived, what nobody has
    registered yet. cost: None where the file names no prices.
    """

    run_id: str
    digest: str
    migration: str
    account: str
    region: str
    bucket: str
    origin: str
    timezone: str
    local_date: dt.date | None
    options: dict[str, Any]
    settings: dict[str, Any]
    compared: dict[str, Any]
    made_at: dt.datetime
    planning_seconds: float

    prefixes: tuple[PlannedPrefix, ...]
    selected: int
    fingerprint: str

    listed: int = 0
    left_out: tuple[ReasonGroup, ...] = ()
    hints: tuple[ReasonGroup, ...] = ()
    to_restore: int = 0
    to_restore_bytes: int = 0
    unchanged: int = 0
    changed: int = 0
    failed_before: int = 0
    owned_elsewhere: int = 0
    queued_elsewhere: int = 0
    gone: int = 0
    new: int = 0
    again: int = 0
    leftovers: int = 0
    leftovers_left_out: int = 0
    broken_rows: int = 0

    to_send: int = 0
    failing: tuple[FailureGroup, ...] = ()
    bytes: int = 0
    size_unknown: int = 0
    classes: tuple[StorageClass, ...] = ()
    batches: Batches = Batches()
    rate: PlannedRate
    seconds: float = 0.0
    window: str | None = None
    pause_after: tuple[str, ...] = ()
    runs: int = 1
    expected_end: dt.datetime
    titles: Duplicates = Duplicates()
    references: Duplicates = Duplicates()
    names: Duplicates = Duplicates()
    lookups: LookupCounts = LookupCounts()
    samples: tuple[SampleDescription, ...] = ()
    cost: Cost | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The migration's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def left_out_objects(self) -> int:
        """Objects that the selection leaves out."""
        return sum(left.count for left in self.left_out)

    @property
    def would_fail(self) -> int:
        """Objects and rows that fail without a call."""
        return sum(group.count for group in self.failing)

    @property
    def work(self) -> int:
        """What the run takes on: what it sends, and what fails by itself."""
        return self.to_send + self.would_fail

    def as_json(self) -> dict[str, Any]:
        """JSON types: times in ISO 8601 with offset; the names are the fields' own."""
        return {**self.model_dump(mode="json"), "would_fail": self.would_fail}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Plan:
        """From a saved body."""
        return cls.model_validate(dict(body))
