"""What there is to say about a run, as values; the formats (text, HTML, tables, JSON) only show it.

Every number of a report comes from the outcomes, calls and scans tagged with the run, never from the state of a result, which
a later run may have changed.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

from vod_migrate.report.diagnosis import DEEDS, RULED_OUT, Diagnosis, diagnose, diagnose_reason, gives_no_reason
from vod_migrate.report.rate_chart import RatePoint
from vod_migrate.results.notes import Notes
from vod_migrate.results.summary import RunCounts
from vod_migrate.results.verifications import VerificationRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """An option of the run or a setting of its migration: a dotted name and its value as text."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportFacts:
    """The table that was written at a run's end. location: a path or oss://BUCKET/KEY."""

    location: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """The run: who, what, when. seconds: wall time from its start to its end, or to now while it runs. export: None where none was written."""

    run_id: str
    migration: str
    bucket: str
    account: str
    mode: str
    state: str
    stop_code: str | None
    stop_message: str | None
    local_date: dt.date | None
    origin: str
    dag_id: str | None
    dag_run_id: str | None
    started: dt.datetime
    finished: dt.datetime | None
    seconds: float
    timezone: str
    options: tuple[Setting, ...]
    settings: tuple[Setting, ...]
    export: ExportFacts | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The migration's time zone, in which every format shows its times."""
        return ZoneInfo(self.timezone)

    @property
    def listed(self) -> bool:
        """Whether its objects came from listing prefixes, and not from a manifest or an inventory."""
        return not any(setting.name.startswith(("source.manifest.", "source.inventory.")) for setting in self.settings)

    @property
    def running(self) -> bool:
        """Whether the run has not ended yet."""
        return self.state == "running"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """RegisterMedia calls of the run by how they were answered; files: how many they carried, repeats included."""

    ok: int = 0
    throttled: int = 0
    refused: int = 0
    transient: int = 0
    stopped: int = 0
    files: int = 0

    @property
    def total(self) -> int:
        """All calls that were sent."""
        return self.ok + self.throttled + self.refused + self.transient + self.stopped


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRates:
    """Calls per second over time, of this run alone.

    account_rate: the rate that all workers of the account keep together, None where none is set yet; cap: the lower rate of this
    migration or run; documented: the vendor's limit for the account. width: seconds that each point stands for.
    """

    begin: dt.datetime | None
    width: int
    points: tuple[RatePoint, ...]
    account_rate: float | None
    cap: float | None
    documented: float

    @property
    def peak(self) -> float:
        """The highest rate of accepted calls among the points."""
        return max((point.accepted for point in self.points), default=0.0)

    @property
    def average(self) -> float:
        """Accepted calls per second from the first call to the last."""
        return fmean(point.accepted for point in self.points) if self.points else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One failing object: its key, and the message and the RequestId of the reply, '' where there were none.

    key: '' for a row of a manifest that a plan found broken: its message names the row.
    """

    key: str
    message: str = ""
    request_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FailureGroup:
    """The objects that fail with one code: the service's own, or ours in snake_case. samples: up to five.

    cause: why, where looking at them told; '' for those that were not examined, or for which nothing was found. certain: whether
    the cause is certain for all of them. examined: of those without a cause; ruled_out: causes that none of the examined has.
    """

    code: str
    count: int
    samples: tuple[Sample, ...] = ()
    cause: str = ""
    certain: bool = True
    examined: int = 0
    ruled_out: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What names the group, in mode failed too."""
        return self.cause or self.code

    @property
    def unexamined(self) -> int:
        """How many could still be examined: those without a cause whose code does not say why."""
        return 0 if self.cause or not gives_no_reason(self.code) else self.count - self.examined

    @property
    def diagnosis(self) -> Diagnosis:
        """What its name means, what to do, and what is left to check."""
        return diagnose(self.name, ruled_out=self.ruled_out if self.examined == self.count else ())

    @property
    def not_due_to(self) -> list[str]:
        """What was ruled out for those that were examined, in words."""
        return [RULED_OUT[cause] for cause in self.ruled_out]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonGroup:
    """Objects that the selection left out for one named reason, or that it keeps and somebody should look at.

    samples: up to five of their keys; expires: the first end of their restored copies.
    """

    reason: str
    count: int
    samples: tuple[str, ...] = ()
    expires: dt.datetime | None = None

    @property
    def diagnosis(self) -> Diagnosis:
        """What the reason means and what to do."""
        return diagnose_reason(self.reason)


def by_reason(counts: Mapping[str, int], samples: Mapping[str, Sequence[str]], notes: Notes) -> tuple[ReasonGroup, ...]:
    """The groups, the most frequent first. counts: objects by reason; notes: of the same scans."""
    return tuple(
        ReasonGroup(
            reason=reason, count=count, samples=tuple(samples.get(reason, ())), expires=notes.expires.get(reason)
        )
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanFacts:
    """The listing of one prefix. state: open, complete, limited (by the run's limit) or failed; seconds: None before it began.

    kind: prefix or rows; a failed one may be `leftovers` (what earlier runs left) or `approval` (the comparison with a plan), too.
    """

    kind: str
    prefix: str
    state: str
    pages: int
    listed: int
    error_code: str | None
    error: str | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """What somebody did to the run, its migration or its account while it was under way. what: a Deed; detail: '' where that says all."""

    at: dt.datetime
    who: str
    what: str
    detail: str

    @property
    def text(self) -> str:
        """What was done, as it follows the name."""
        return DEEDS[self.what]


@dataclass(frozen=True, kw_only=True, slots=True)
class RelatedRun:
    """A run whose failures another one sent again, or that other one. objects: how many of them; settings: what the rerun changed."""

    run_id: str
    state: str
    started: dt.datetime
    objects: int
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviousRun:
    """The run of the same migration before this one, for comparison."""

    run_id: str
    state: str
    started: dt.datetime
    seconds: float | None
    counts: RunCounts


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything that a format shows. sentence: what happened, in one sentence; scans: the first of all `prefixes`.

    leftovers_left_out: what earlier runs left and this run does not send; plan_differences: what differs from the approved plan.
    verifications: what VOD said when it was asked whether it can play what was registered. parents: runs that failed what this one sends
    again; reruns: runs that sent its failures again.
    """

    run: RunFacts
    sentence: str
    counts: RunCounts
    calls: Calls
    rates: CallRates
    failures: tuple[FailureGroup, ...]
    left_out: tuple[ReasonGroup, ...]
    leftovers_left_out: tuple[ReasonGroup, ...] = ()
    plan_differences: tuple[ReasonGroup, ...] = ()
    hints: tuple[ReasonGroup, ...] = ()
    actions: tuple[Action, ...] = ()
    scans: tuple[ScanFacts, ...]
    prefixes: int
    prefixes_failed: int
    previous: PreviousRun | None
    verifications: tuple[VerificationRecord, ...] = ()
    parents: tuple[RelatedRun, ...] = ()
    reruns: tuple[RelatedRun, ...] = ()

    @property
    def settled(self) -> int:
        """Objects that this run settled: registered, already registered or failed."""
        return self.counts.registered + self.counts.already_registered + self.counts.failed

    @property
    def failed_otherwise(self) -> int:
        """Failures whose codes are too rare to be grouped; the failures table has them."""
        return self.counts.failed - sum(group.count for group in self.failures)

    def share_of(self, group: FailureGroup) -> float:
        """A group's share of all failures, 0 to 1."""
        return group.count / max(self.counts.failed, sum(one.count for one in self.failures))

    @property
    def objects_per_second(self) -> float:
        """Settled objects by the wall time of the run."""
        return self.settled / self.run.seconds if self.run.seconds > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        """The report as JSON types: times in ISO 8601 with offset, rates in calls per second; the names are the fields' own."""
        plain: dict[str, Any] = _plain(self)
        plain["counts"] = self.counts.as_json()
        for shown, group in zip(plain["failures"], self.failures, strict=True):
            shown |= {"share": round(self.share_of(group), 3), "diagnosis": _plain(group.diagnosis)}
        for name in ("left_out", "leftovers_left_out", "plan_differences", "hints"):
            for shown, found in zip(plain[name], getattr(self, name), strict=True):
                shown["diagnosis"] = _plain(found.diagnosis)
        plain["verifications"] = [record.as_json() for record in self.verifications]
        if self.previous is not None:
            plain["previous"]["counts"] = self.previous.counts.as_json()
        plain["calls"]["total"] = self.calls.total
        plain["objects_per_second"] = round(self.objects_per_second, 3)
        return plain


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 3)
    return value
