"""How a run is asked for: its mode, and what narrows or paces it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from vod_migrate.errors import BadOption
from vod_migrate.migration.base import Date, Moment, SettingsModel
from vod_migrate.migration.messages import problems_of
from vod_migrate.migration.templates import PREFIX_FACTS, check_template

DIGEST_DIGITS = 12
"""As many digits of a plan's digest name it: 48 bits, far more than anybody's plans."""


class Mode(StrEnum):
    """What a run sends."""

    NEW = "new"
    FAILED = "failed"
    ALL = "all"


class RunOptions(SettingsModel):
    """The options of one run; the trigger form and `vod-migrate run` offer exactly these."""

    mode: Annotated[
        Mode,
        Field(
            description="new: what was never settled; failed: only what failed, without listing; all: everything selected, again."
        ),
    ] = Mode.NEW
    prefixes: Annotated[
        tuple[str, ...] | None, Field(min_length=1, description="List only these prefixes instead of the file's.")
    ] = None
    limit: Annotated[int | None, Field(ge=1, description="Send at most this many objects.")] = None
    modified_since: Annotated[
        Moment | None,
        Field(description="Only objects modified at or after this time; without an offset, the migration's time zone."),
    ] = None
    date: Annotated[Date | None, Field(description="The value of `{{ date }}` in prefixes, YYYY-MM-DD.")] = None
    codes: Annotated[
        tuple[str, ...] | None,
        Field(min_length=1, description="Mode failed: only what failed with one of these codes."),
    ] = None
    calls_per_second: Annotated[float | None, Field(gt=0, le=1000, description="A lower rate for this run.")] = None
    max_objects: Annotated[
        int | None,
        Field(ge=1, description="Pause after sending this many objects, instead of the file's `pause_after.objects`."),
    ] = None
    max_calls: Annotated[
        int | None, Field(ge=1, description="Pause after this many calls, instead of the file's `pause_after.calls`.")
    ] = None
    max_minutes: Annotated[
        float | None,
        Field(
            gt=0, le=525_600, description="Pause after this many minutes, instead of the file's `pause_after.minutes`."
        ),
    ] = None
    ignore_window: Annotated[bool, Field(description="Send outside the migration's window, too.")] = False
    resume: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Continue the rest of this run (its ID) with the same file and options; only the rate, the limits and the window may differ.",
        ),
    ] = None

    @field_validator("codes")
    @classmethod
    def _codes_to_send_again(cls, codes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for code in codes or ():
            if code.startswith("row_"):
                raise ValueError(
                    f"{code!r} is a broken row of a manifest, which only the manifest can mend: correct it there"
                )
        return codes

    @model_validator(mode="after")
    def _options_that_fit(self) -> RunOptions:
        if self.codes is not None and self.mode is not Mode.FAILED:
            raise ValueError(f"codes: only mode failed goes by codes, and this is mode {self.mode.value}")
        return self

    dry_run: Annotated[
        bool,
        Field(description="Plan only: say what the run would do, and send nothing. The report task shows the plan."),
    ] = False
    approve: Annotated[
        str | None,
        Field(
            description="The digest of a plan, or at least its first 12 digits: send exactly that, or nothing if the file, the options "
            "or the source have changed since."
        ),
    ] = None

    @field_validator("approve")
    @classmethod
    def _a_digest(cls, digest: str | None) -> str | None:
        if digest is None:
            return None
        lower = digest.strip().lower()
        if not re.fullmatch(f"[0-9a-f]{{{DIGEST_DIGITS},64}}", lower):
            raise ValueError(
                f"is no digest of a plan: copy at least {DIGEST_DIGITS} of the 64 digits that the plan shows"
            )
        return lower

    @model_validator(mode="after")
    def _plan_or_run(self) -> RunOptions:
        if self.dry_run and self.approve is not None:
            raise ValueError("dry_run and approve: plan, or run what was planned; give one")
        return self

    @field_validator("prefixes")
    @classmethod
    def _readable_prefixes(cls, prefixes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for prefix in prefixes or ():
            check_template(prefix, PREFIX_FACTS, "run")
        return prefixes

    def stored(self) -> dict[str, Any]:
        """The options that differ from the defaults, as JSON types."""
        return self.model_dump(mode="json", exclude_defaults=True)


def parse_options(content: Mapping[str, Any]) -> RunOptions:
    """Validates a run's options; empty values (an untouched form field) count as not given.

    Raises:
        BadOption: naming each option, its value and the fix.
    """
    given = {name: value for name, value in content.items() if value not in (None, "", [])}
    try:
        return RunOptions.model_validate(given)
    except ValidationError as error:
        raise BadOption("; ".join(problems_of(error, RunOptions)).removeprefix("the file: ")) from None
