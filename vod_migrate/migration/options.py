"""The options of a run: its mode, and what narrows or limits it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, ValidationError, model_validator

from vod_migrate.errors import BadOption
from vod_migrate.migration.base import Date, Moment, SettingsModel
from vod_migrate.migration.messages import problems_of
from vod_migrate.migration.prefixes import check_prefixes

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
_MODES = {"new": "New objects", "failed": "Failed objects only", "all": "All selected objects, again"}


def _option(
    title: str,
    section: str,
    commands: list[str],
    *,
    flag: str | None = None,
    metavar: str | None = None,
    choices: dict[str, str] | None = None,
    **limits: Any,
) -> Any:
    """What a field says besides its text. section: of the trigger form; commands: those that take it; limits: as of `Field`.

    flag, metavar: on the command line, where they do not follow from name and type; choices: what the form calls the values.
    """
    told: dict[str, Any] = {
        "section": section,
        "flag": flag,
        "metavar": metavar,
        "commands": commands,
        "values_display": choices,
    }
    extra = {name: value for name, value in told.items() if value is not None}
    return Field(title=title, json_schema_extra=extra, **limits)


def _check_codes(codes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    for code in codes or ():
        if code.startswith("row_"):
            raise ValueError(f"{code!r} is the code of broken manifest rows: correct the rows in the manifest")
    return codes


def _digest(text: str) -> str:
    lower = text.strip().lower()
    if not re.fullmatch(f"[0-9a-f]{{{DIGEST_DIGITS},64}}", lower):
        raise ValueError(
            f"is not the digest of a plan: copy at least {DIGEST_DIGITS} of the 64 digits that the plan shows"
        )
    return lower


class RunOptions(SettingsModel):
    """The options of one run. An option that is declared here is in the trigger form, on the command line and in the docs."""

    mode: Annotated[Mode, _option("What to send", "Run", _NEW_RUN, choices=_MODES)] = Mode.NEW
    """new: objects that are neither registered nor failed; failed: only failed objects, without listing; all: all
    selected objects, again."""
    prefixes: Annotated[
        tuple[str, ...] | None,
        _option("Prefixes", "Objects", _PLACES, flag="--prefix", min_length=1),
        AfterValidator(check_prefixes),
    ] = None
    """List only these prefixes instead of the file's."""
    limit: Annotated[int | None, _option("Limit", "Objects", _NEW_RUN, ge=1)] = None
    """Send at most this many objects."""
    modified_since: Annotated[Moment | None, _option("Modified since", "Objects", _LISTING)] = None
    """Only objects modified at or after this time; without an offset, in the migration's time zone."""
    date: Annotated[Date | None, _option("Date", "Objects", _PLACES)] = None
    """The value of `{{ date }}` in prefixes, YYYY-MM-DD."""
    codes: Annotated[
        tuple[str, ...] | None,
        _option("Codes", "Objects", _NEW_RUN, flag="--code", min_length=1),
        AfterValidator(_check_codes),
    ] = None
    """In mode failed: only objects that failed with one of these codes."""
    settings: Annotated[
        tuple[str, ...] | None,
        _option("Changed settings", "Run", _NEW_RUN, flag="--set", metavar="NAME=VALUE", min_length=1),
    ] = None
    """Settings to change for this run only, under `describe`, `register` and `select`, e.g. `describe.title={{ stem }}`
    or `register.url_encoding=raw`."""
    calls_per_second: Annotated[float | None, _option("Calls per second", "Rate", _ANY_RUN, gt=0, le=1000)] = None
    """A lower rate for this run."""
    max_objects: Annotated[int | None, _option("Most objects", "Limits", _ANY_RUN, ge=1)] = None
    """Pause after sending this many objects, instead of the file's `pause_after.objects`."""
    max_calls: Annotated[int | None, _option("Most calls", "Limits", _ANY_RUN, ge=1)] = None
    """Pause after this many calls, instead of the file's `pause_after.calls`."""
    max_minutes: Annotated[float | None, _option("Most minutes", "Limits", _ANY_RUN, gt=0, le=525_600)] = None
    """Pause after this many minutes, instead of the file's `pause_after.minutes`."""
    ignore_window: Annotated[bool, _option("Ignore the window", "Limits", _ANY_RUN)] = False
    """Also send outside the migration's window."""
    resume: Annotated[str | None, _option("Resume a run", "Run", [], min_length=1)] = None
    """Continue the run with this ID, with the same file and options; only the rate, the limits and the window may differ."""
    dry_run: Annotated[bool, _option("Plan only", "Plan", ["run"])] = False
    """Plan only: show what the run would do, and send nothing. In Airflow, the task `report` shows it."""
    approve: Annotated[
        Annotated[str, AfterValidator(_digest)] | None, _option("Approve a plan", "Plan", ["run"], metavar="DIGEST")
    ] = None
    """The digest of a plan, or at least its first 12 digits: send exactly that plan, or nothing if the file, the options or the source have changed since."""

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
