"""Prices that a migration file may name, so that its plans estimate what a run costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, WithJsonSchema, model_validator

from vod_migrate.migration.base import SettingsModel

_HIGHEST = Decimal(1_000_000)

Price = Annotated[
    Decimal | None,
    Field(ge=0, le=_HIGHEST, max_digits=15, decimal_places=8),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}, {"type": "null"}]}),
]
"""An exact decimal: 0.01 is a hundredth, whether the file has it in quotes or not."""


class Prices(SettingsModel):
    """Prices from your price list or contract, for the cost estimate of a plan. Anything without a price is not estimated."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CNY"
    """The currency of all prices, as its three letters."""
    oss_10k_requests: Price = None
    """10,000 requests to OSS: pages of listings, and HeadObject."""
    register_10k_calls: Price = None
    """10,000 calls of RegisterMedia."""
    registered_gb: Price = None
    """1 GB (10⁹ bytes) of registered files, for everything that VOD bills by size."""
    transcoded_minute: Price = None
    """1 minute of video through the template group or workflow, all outputs together; needs `minutes_per_gb`."""
    minutes_per_gb: Annotated[
        Decimal | None,
        Field(gt=0, le=_HIGHEST, max_digits=15, decimal_places=8),
        WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}, {"type": "null"}]}),
    ] = None
    """How many minutes of video 1 GB of the source contains, e.g. 16.7 at 8 Mbit/s: OSS does not know durations."""

    @model_validator(mode="after")
    def _minutes_that_can_be_counted(self) -> Prices:
        if (self.transcoded_minute is None) != (self.minutes_per_gb is None):
            missing = "minutes_per_gb" if self.minutes_per_gb is None else "transcoded_minute"
            raise ValueError(f"{missing} is missing: transcoded_minute and minutes_per_gb are used together")
        return self
