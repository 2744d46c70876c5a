"""What a migration file may say about its first objects: sent alone, looked at, and then the rest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.units import Duration, seconds_of


class StagedStart(SettingsModel):
    """The first run of the migration sends a sample of the source before the rest; without `first`, it sends everything at once."""

    objects: Annotated[
        int, Field(ge=10, le=10_000, description="How many objects to send first, spread over the source.")
    ] = 500
    verify: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether to wait until VOD can play them. If more than `stop_after.failure_rate` of them cannot be played, the run stops.",
        ),
    ] = True
    timeout: Annotated[
        Duration,
        Field(
            description="How long to wait, e.g. `2h`; objects that VOD is still processing then do not count as failures."
        ),
    ] = "2h"
    then: Annotated[
        Literal["continue", "ask", "stop"],
        Field(
            description="`continue`: send the rest; `ask`: pause until somebody resumes the run; `stop`: pause until the next run."
        ),
    ] = "continue"

    @property
    def timeout_seconds(self) -> int:
        """How long to wait."""
        return seconds_of(self.timeout)
