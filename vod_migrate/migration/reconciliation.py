"""What a migration file may say about comparing its books on a schedule."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.schedule import PRESETS, check_schedule
from vod_migrate.migration.units import Part, millionths_of


class ReconcileSchedule(SettingsModel):
    """Compares OSS, the results and VOD in a separate DAG, `vod_reconcile__<name>`, without repairs. Without `reconcile`, there is no such DAG."""

    schedule: Annotated[
        str,
        Field(
            description=f"Cron expression in `timezone`, or {', '.join(PRESETS)}; choose a time without active runs."
        ),
    ] = "@weekly"
    sample: Annotated[
        Part, Field(description="The random share of the registered objects to look up in VOD, e.g. `1 %`.")
    ] = "100 %"

    @field_validator("schedule")
    @classmethod
    def _coming(cls, schedule: str) -> str:
        return check_schedule(schedule)

    @property
    def millionths(self) -> int:
        """About how much of the registered objects VOD is asked."""
        return millionths_of(self.sample)
