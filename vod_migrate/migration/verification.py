"""What a migration file may say about asking VOD, after a run, whether it can play what was registered."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.units import Duration, Part, millionths_of, seconds_of


class Verify(SettingsModel):
    """Checks in VOD, some time after each run in Airflow, that the registered media can be played; without `verify`, there is no check."""

    after: Annotated[
        Duration,
        Field(description="How long after the run to check, e.g. `90s`, `30m` or `2h`: processing takes time."),
    ] = "30m"
    sample: Annotated[Part, Field(description="The random share to check, e.g. `1 %` or `0.01`.")] = "100 %"

    @property
    def after_seconds(self) -> int:
        """How long after the run to ask."""
        return seconds_of(self.after)

    @property
    def millionths(self) -> int:
        """How much of it to ask about."""
        return millionths_of(self.sample)
