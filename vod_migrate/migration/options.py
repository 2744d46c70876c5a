"""The options of a run: its mode, and what narrows or limits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import Field, ValidationError, field_validator, model_validator

from vod_migrate.errors import BadOption
from vod_migrate.migration.base import Date, Moment, SettingsModel
from vod_migrate.migration.messages import problems_of
from vod_migrate.migration.prefixes import check_prefix
from vod_migrate.migration.templates import PREFIX_FACTS, check_template

DIGEST_DIGITS = 12
"""This many digits of its digest name a plan: 48 bits, more than anybody has plans."""


class Mode(StrEnum):
    """What a run sends."""

    NEW = "new"
    FAILED = "failed"
    ALL = "all"


_NEW_RUN = ["run", "plan"]
_ANY_RUN = ["run", "plan", "resume"]
_LISTING = ["run", "plan", "restore"]
_PLACES = [*_LISTING, "reconcile", "update"]


class RunOptions(SettingsModel):
    """The options of one run. An option that is declared here is in the trigger form, on the command line and in the docs.

    section: of the trigger form; commands: those that take it; flag, metavar: on the command line, where they do not follow
    from name and type.
    """

    mode: Annotated[
        Mode,
        Field(
            title="What to send",
            description="new: objects that are neither registered nor failed; failed: only failed objects, without listing; all: all "
            "selected objects, again.",
            json_schema_extra={
                "section": "Run",
                "commands": _NEW_RUN,
                "values_display": {
                    "new": "New objects",
                    "failed": "Failed objects only",
                    "all": "All selected objects, again",
                },
            },
        ),
    ] = Mode.NEW
    prefixes: Annotated[
        tuple[str, ...] | None,
        Field(
            title="Prefixes",
            min_length=1,
            description="List only these prefixes instead of the file's.",
            json_schema_extra={"section": "Objects", "flag": "--prefix", "commands": _PLACES},
        ),
    ] = None
    limit: Annotated[
        int | None,
        Field(
            title="Limit",
            ge=1,
            description="Send at most this many objects.",
            json_schema_extra={"section": "Objects", "commands": _NEW_RUN},
        ),
    ] = None
    modified_since: Annotated[
        Moment | None,
        Field(
            title="Modified since",
            description="Only objects modified at or after this time; without an offset, in the migration's time zone.",
            json_schema_extra={"section": "Objects", "commands": _LISTING},
        ),
    ] = None
    date: Annotated[
        Date | None,
        Field(
            title="Date",
            description="The value of `{{ date }}` in prefixes, YYYY-MM-DD.",
            json_schema_extra={"section": "Objects", "commands": _PLACES},
        ),
    ] = None
    codes: Annotated[
        tuple[str, ...] | None,
        Field(
            title="Codes",
            min_length=1,
            description="In mode failed: only objects that failed with one of these codes.",
            json_schema_extra={"section": "Objects", "flag": "--code", "commands": _NEW_RUN},
        ),
    ] = None
    settings: Annotated[
        tuple[str, ...] | None,
        Field(
            title="Changed settings",
            min_length=1,
            description="Settings to change for this run only, under `describe`, `register` and `select`, e.g. `describe.title={{ stem }}` or "
            "`register.url_encoding=raw`.",
            json_schema_extra={"section": "Run", "flag": "--set", "metavar": "NAME=VALUE", "commands": _NEW_RUN},
        ),
    ] = None
    calls_per_second: Annotated[
        float | None,
        Field(
            title="Calls per second",
            gt=0,
            le=1000,
            description="A lower rate for this run.",
            json_schema_extra={"section": "Rate", "commands": _ANY_RUN},
        ),
    ] = None
    max_objects: Annotated[
        int | None,
        Field(
            title="Most objects",
            ge=1,
            description="Pause after sending this many objects, instead of the file's `pause_after.objects`.",
            json_schema_extra={"section": "Limits", "commands": _ANY_RUN},
        ),
    ] = None
    max_calls: Annotated[
        int | None,
        Field(
            title="Most calls",
            ge=1,
            description="Pause after this many calls, instead of the file's `pause_after.calls`.",
            json_schema_extra={"section": "Limits", "commands": _ANY_RUN},
        ),
    ] = None
    max_minutes: Annotated[
        float | None,
        Field(
            title="Most minutes",
            gt=0,
            le=525_600,
            description="Pause after this many minutes, instead of the file's `pause_after.minutes`.",
            json_schema_extra={"section": "Limits", "commands": _ANY_RUN},
        ),
    ] = None
    ignore_window: Annotated[
        bool,
        Field(
            title="Ignore the window",
            description="Also send outside the migration's window.",
            json_schema_extra={"section": "Limits", "commands": _ANY_RUN},
        ),
    ] = False
    resume: Annotated[
        str | None,
        Field(
            title="Resume a run",
            min_length=1,
            description="Continue the run with this ID, with the same file and options; only the rate, the limits and the window may differ.",
            json_schema_extra={"section": "Run", "commands": []},
        ),
    ] = None
    dry_run: Annotated[
        bool,
        Field(
            title="Plan only",
            description="Plan only: show what the run would do, and send nothing. In Airflow, the task `report` shows it.",
            json_schema_extra={"section": "Plan", "commands": ["run"]},
        ),
    ] = False
    approve: Annotated[
        str | None,
        Field(
            title="Approve a plan",
            description="The digest of a plan, or at least its first 12 digits: send exactly that plan, or nothing if the file, the options or the source have changed since.",
            json_schema_extra={"section": "Plan", "metavar": "DIGEST", "commands": ["run"]},
        ),
    ] = None

    @field_validator("codes")
    @classmethod
    def _codes_to_send_again(cls, codes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for code in codes or ():
            if code.startswith("row_"):
                raise ValueError(f"{code!r} is the code of broken manifest rows: correct the rows in the manifest")
        return codes

    @field_validator("approve")
    @classmethod
    def _a_digest(cls, digest: str | None) -> str | None:
        if digest is None:
            return None
        lower = digest.strip().lower()
        if not re.fullmatch(f"[0-9a-f]{{{DIGEST_DIGITS},64}}", lower):
            raise ValueError(
                f"is not the digest of a plan: copy at least {DIGEST_DIGITS} of the 64 digits that the plan shows"
            )
        return lower

    @field_validator("prefixes")
    @classmethod
    def _readable_prefixes(cls, prefixes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for prefix in prefixes or ():
            check_template(prefix, PREFIX_FACTS)
            check_prefix(prefix)
        return prefixes

    @model_validator(mode="after")
    def _options_that_fit(self) -> RunOptions:
        if self.codes is not None and self.mode is not Mode.FAILED:
            raise ValueError(f"codes apply only to mode failed, and this is mode {self.mode.value}")
        if self.dry_run and self.approve is not None:
            raise ValueError("dry_run and approve exclude each other: make a plan, or run an approved one")
        return self

    def stored(self) -> dict[str, Any]:
        """The options that differ from the defaults, as JSON types."""
        return self.model_dump(mode="json", exclude_defaults=True)


def options_of(command: str) -> tuple[str, ...]:
    """The names of the options that a command takes."""
    extras = {name: cast("dict[str, Any]", field.json_schema_extra) for name, field in RunOptions.model_fields.items()}
    return tuple(name for name, extra in extras.items() if command in extra["commands"])


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
