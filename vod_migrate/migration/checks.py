"""What a migration file may say about checking: a first sample, what a run registered, and the books."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.schedule import PRESETS, Schedule
from vod_migrate.migration.units import Duration, Part, millionths_of, seconds_of


class StagedStart(SettingsModel):
    """The first run of the migration sends a sample of the source before the rest; without `first`, it sends everything at once."""

    objects: Annotated[int, Field(ge=10, le=10_000)] = 500
    """How many objects to send first, spread over the source."""
    verify: Annotated[bool, Field(strict=True)] = True
    """Whether to wait until VOD can play them. If more than `stop_after.failure_rate` of them cannot be played, the run stops."""
    timeout: Duration = "2h"
    """How long to wait, e.g. `2h`; objects that VOD is still processing then do not count as failures."""
    then: Literal["continue", "ask", "stop"] = "continue"
    """`continue`: send the rest; `ask`: pause until somebody resumes the run; `stop`: pause until the next run."""

    @property
    def timeout_seconds(self) -> int:
        """How long to wait."""
        return seconds_of(self.timeout)


class Verify(SettingsModel):
    """Checks in VOD, some time after each run in Airflow, that the registered media can be played; without `verify`, there is no check."""

    after: Duration = "30m"
    """How long after the run to check, e.g. `90s`, `30m` or `2h`: processing takes time."""
    sample: Part = "100 %"
    """The random share to check, e.g. `1 %` or `0.01`."""

    @property
    def after_seconds(self) -> int:
        """How long after the run to ask."""
        return seconds_of(self.after)

    @property
    def millionths(self) -> int:
        """How much of it to ask about."""
        return millionths_of(self.sample)


class ReconcileSchedule(SettingsModel):
    """Compares OSS, the results and VOD in a separate DAG, `vod_reconcile__<name>`, without repairs. Without `reconcile`, there is no such DAG."""

    schedule: Annotated[
        Schedule,
        Field(
            description=f"Cron expression in `timezone`, or {', '.join(PRESETS)}; choose a time without active runs."
        ),
    ] = "@weekly"
    sample: Part = "100 %"
    """The random share of the registered objects to look up in VOD, e.g. `1 %`."""

    @property
    def millionths(self) -> int:
        """About how much of the registered objects VOD is asked."""
        return millionths_of(self.sample)
