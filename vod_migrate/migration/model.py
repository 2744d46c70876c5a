"""A migration file, validated. The models are the one source of the defaults, the JSON schema and the reference page."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from vod_migrate.migration.base import Date, SettingsModel
from vod_migrate.migration.checks import ReconcileSchedule, StagedStart, Verify
from vod_migrate.migration.description import Describe
from vod_migrate.migration.export import Export
from vod_migrate.migration.notification import Notify
from vod_migrate.migration.prices import Prices
from vod_migrate.migration.registration import Register
from vod_migrate.migration.schedule import PRESETS, Schedule, next_start, starts_within, time_zones
from vod_migrate.migration.source import Select, Source
from vod_migrate.migration.window import Window, parse_window

_NAME = r"^[a-z0-9][a-z0-9_.-]{0,99}$"
_MOST_WAITING = 12


class StopAfter(SettingsModel):
    """When a run stops because too many files fail."""

    failures: Annotated[int | None, Field(ge=0)] = None
    """Stop when more files than this have failed; null: no limit."""
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Stop when a larger share of the outcomes than this are failures."""
    min_outcomes: Annotated[int, Field(ge=1)] = 500
    """Apply failure_rate once there are this many outcomes."""


class PauseAfter(SettingsModel):
    """How much a run may do before it pauses; the next run continues with the rest."""

    objects: Annotated[int | None, Field(ge=1)] = None
    """Pause after sending this many objects."""
    calls: Annotated[int | None, Field(ge=1)] = None
    """Pause after this many RegisterMedia calls."""
    minutes: Annotated[float | None, Field(gt=0, le=525_600)] = None
    """Pause after this many minutes, listing included."""

    def in_words(self) -> tuple[str, ...]:
        """The limits that are set, e.g. "10,000 objects"."""
        named = ((self.objects, "object"), (self.calls, "call"), (self.minutes, "minute"))
        return tuple(f"{most:,.12g} {what}{'' if most == 1 else 's'}" for most, what in named if most is not None)


_AROUND = frozenset({
    "approval_hours", "export", "notify", "prices", "reconcile", "require_approval", "schedule", "start_date", "verify",
})  # fmt: skip
"""Settings about when a run begins, and what happens around it and after it; they change nothing that it sends."""


def _check_zone(zone: str) -> str:
    if zone not in time_zones():
        near = difflib.get_close_matches(zone, time_zones(), 1)
        raise ValueError(f"{zone!r} is not an IANA time zone" + (f": did you mean {near[0]!r}?" if near else ""))
    return zone


def _check_window(window: str) -> str:
    parse_window(window, ZoneInfo("UTC"))
    return window


class Migration(SettingsModel):
    """One migration file."""

    name: Annotated[str, Field(pattern=_NAME)]
    """The migration's name; its DAG is `vod_backfill__<name>`."""
    connection: Annotated[str, Field(min_length=1)] = "vod_default"
    """The Airflow connection (type aliyun_vod). The command line uses the environment instead."""
    source: Source
    select: Select = Select()
    describe: Describe = Describe()
    register_: Annotated[Register, Field(alias="register")]
    stop_after: StopAfter = StopAfter()
    pause_after: PauseAfter = PauseAfter()
    export: Export | None = None
    """Write a table of the results after each run."""
    first: StagedStart | None = None
    verify: Verify | None = None
    reconcile: ReconcileSchedule | None = None
    notify: tuple[Notify, ...] = ()
    """Receivers of notifications about a run's events."""
    prices: Prices | None = None
    window: Annotated[str, AfterValidator(_check_window)] | None = None
    """When a run may send, in `timezone`, e.g. `01:00-07:00`; null: always."""
    priority: Annotated[int, Field(ge=1, le=10)] = 5
    """1 to 10; of the migrations that share an account, the one with the highest priority goes first."""
    schedule: Annotated[
        Schedule | None,
        Field(description=f"Cron expression in `timezone`, or {', '.join(PRESETS)}; null: only when triggered."),
    ] = None
    timezone: Annotated[str, AfterValidator(_check_zone)] = "Asia/Shanghai"
    """IANA time zone of the schedule, the window and all dates."""
    start_date: Annotated[Date | None, Field(ge=dt.date(1970, 1, 1))] = None
    """First local date that a backfill may cover; null: 2020-01-01."""
    require_approval: Annotated[bool, Field(strict=True)] = False
    """Whether each run waits for the approval of its plan: in Airflow on the page of required actions, from the command
    line with `vod-migrate plan` and `run --approve`."""
    approval_hours: Annotated[float | None, Field(gt=0, le=8760)] = None
    """How long a run in Airflow waits for a decision before it ends without sending anything; null: no limit."""

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="after")
    def _settings_that_fit(self) -> Migration:
        if self.approval_hours is not None and not self.require_approval:
            raise ValueError(
                "approval_hours is set, but require_approval is not: set it to true, or leave approval_hours out"
            )
        if self.verify is not None and self.waiting > _MOST_WAITING:
            raise ValueError(
                f"verify.after: {self.verify.after} is so long that {self.waiting} later runs of the schedule {self.schedule!r} begin "
                f"meanwhile; write a time in which at most {_MOST_WAITING} begin"
            )
        if self.reconcile is not None and self.source.dated:
            raise ValueError(
                "reconcile is set, but the source has a date in it, and a comparison covers more than one day: leave reconcile out, and "
                "run `vod-migrate reconcile FILE --prefix …`"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The migration's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def opening(self) -> Window | None:
        """When a run may send; None: always."""
        return None if self.window is None else parse_window(self.window, self.zone)

    @property
    def next_start(self) -> Callable[[dt.datetime], dt.datetime] | None:
        """What gives the first time of the schedule after a moment; None: there is no schedule."""
        schedule = self.schedule
        return None if schedule is None else lambda moment: next_start(schedule, self.zone, moment)

    @property
    def waiting(self) -> int:
        """How many later runs the schedule begins while one waits to be verified."""
        if self.verify is None or self.schedule is None:
            return 0
        return starts_within(self.schedule, self.verify.after_seconds)

    @property
    def dag_id(self) -> str:
        """The migration's DAG."""
        return f"vod_backfill__{self.name}"

    def resolved(self) -> dict[str, Any]:
        """The file with every default filled in, as JSON types; what `prepare` stores with the run."""
        return self.model_dump(mode="json", by_alias=True)

    def promised(self) -> dict[str, Any]:
        """What of the resolved file decides what a run sends, and how."""
        return {name: value for name, value in self.resolved().items() if name not in _AROUND}

    def digest(self) -> str:
        """SHA-256 of the resolved file, 64 hex digits; equal digests mean equal behaviour."""
        text = json.dumps(self.resolved(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()
