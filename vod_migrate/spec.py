"""Everything a migration file and a run's options may say, validated; unknown keys are refused by name.

The models are the one source of the defaults, the JSON schema and the reference page.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.spec_describe import Describe
from vod_migrate.spec_part import PREFIX_FACTS, Date, Moment, Part, check_template
from vod_migrate.spec_register import Register
from vod_migrate.spec_source import (
    MEDIA_EXTENSIONS,
    STORAGE_CLASSES,
    Inventory,
    Manifest,
    Select,
    Source,
)
from vod_migrate.window import Window, parse_window

__all__ = [
    "MEDIA_EXTENSIONS",
    "PREFIX_FACTS",
    "STORAGE_CLASSES",
    "Brakes",
    "Describe",
    "Inventory",
    "Manifest",
    "Migration",
    "Mode",
    "Register",
    "RunOptions",
    "Select",
    "Source",
    "load_migration",
    "parse_migration",
    "parse_options",
]

ACCOUNT_CALLS_PER_SECOND = 47.0
"""The account's own pace: 94 % of the documented 50 calls/s, which 20 ms of network jitter still fits into."""

DIGEST_DIGITS = 12
"""As many digits of a plan's digest name it: 48 bits, far more than anybody's plans."""

_NAME = r"^[a-z0-9][a-z0-9_.-]{0,99}$"
_CRON_FIELDS = 5


class Stop(Part):
    """When a run gives up because too much fails."""

    failure_share: Annotated[
        float, Field(gt=0, le=1, description="Share of failed outcomes above which the run stops.")
    ] = 0.2
    min_outcomes: Annotated[int, Field(ge=1, description="Outcomes needed before the share counts.")] = 500
    max_failures: Annotated[
        int | None,
        Field(ge=0, description="Failures of one run above which it stops, whatever their share; null: any."),
    ] = None


class Brakes(Part):
    """How much a run may do before it ends as paused; the next run goes on where it stopped."""

    max_objects: Annotated[int | None, Field(ge=1, description="Objects that a run sends at most.")] = None
    max_calls: Annotated[int | None, Field(ge=1, description="RegisterMedia calls that a run makes at most.")] = None
    max_minutes: Annotated[
        float | None, Field(gt=0, le=525_600, description="Minutes that a run takes at most, listing included.")
    ] = None

    def in_words(self) -> tuple[str, ...]:
        """After what a run pauses: "10,000 objects"."""
        named = ((self.max_objects, "object"), (self.max_calls, "call"), (self.max_minutes, "minute"))
        return tuple(f"{most:,.12g} {what}{'' if most == 1 else 's'}" for most, what in named if most is not None)


class Migration(Part):
    """One migration file."""

    name: Annotated[str, Field(pattern=_NAME, description="The migration's name; its DAG is `vod_backfill__<name>`.")]
    connection: Annotated[
        str,
        Field(min_length=1, description="The Airflow connection (type aliyun_vod); by hand the environment is used."),
    ] = "vod_default"
    source: Source
    select: Select = Select()
    describe: Describe = Describe()
    register_: Annotated[Register, Field(alias="register")]
    stop: Stop = Stop()
    brakes: Brakes = Brakes()
    window: Annotated[
        str | None,
        Field(description="When a run may send, on the clock of `timezone`, e.g. `01:00-07:00`; null: always."),
    ] = None
    priority: Annotated[
        int,
        Field(ge=1, le=10, description="Where migrations share an account, the higher one gets its way; 1 to 10."),
    ] = 5
    schedule: Annotated[str | None, Field(description="Cron expression in `timezone`; null means by hand only.")] = None
    timezone: Annotated[str, Field(description="IANA time zone of schedule and dates.")] = "Asia/Shanghai"
    start_date: Annotated[
        Date | None, Field(description="First local date that a backfill may cover; null: 2020-01-01.")
    ] = None
    require_approval: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether each run waits until a person has approved its plan: in Airflow on its page of required actions, by "
            "hand with `vod-migrate plan` and `run --approve`.",
        ),
    ] = False
    approval_hours: Annotated[
        float | None,
        Field(
            gt=0,
            le=8760,
            description="How long a run in Airflow waits for an answer before it ends without sending anything; null waits on.",
        ),
    ] = None

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    @model_validator(mode="after")
    def _hours_of_an_approval(self) -> Migration:
        if self.approval_hours is not None and not self.require_approval:
            raise ValueError(
                "approval_hours is given, but nobody is asked: set require_approval to true, or leave it out"
            )
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            near = difflib.get_close_matches(zone, available_timezones(), 1)
            raise ValueError(f"{zone!r} is no IANA time zone" + (f": did you mean {near[0]!r}?" if near else ""))
        return zone

    @field_validator("window")
    @classmethod
    def _readable_window(cls, window: str | None) -> str | None:
        if window is not None:
            parse_window(window, ZoneInfo("UTC"))
        return window

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str | None) -> str | None:
        # The timetable parses it in full; this keeps the commonest slip out of the scheduler's log.
        if schedule is not None and not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
            raise ValueError(f"{schedule!r} is no cron expression: it has five fields, e.g. '0 1 * * *'")
        return schedule

    @property
    def zone(self) -> ZoneInfo:
        """The migration's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def opening(self) -> Window | None:
        """When a run may send; None: always."""
        return None if self.window is None else parse_window(self.window, self.zone)

    @property
    def dag_id(self) -> str:
        """The migration's DAG."""
        return f"vod_backfill__{self.name}"

    def resolved(self) -> dict[str, Any]:
        """The file with every default filled in, as JSON types; what `prepare` stores with the run."""
        return self.model_dump(mode="json", by_alias=True)

    def digest(self) -> str:
        """SHA-256 of the resolved file, 64 hex digits; equal digests mean equal behaviour."""
        text = json.dumps(self.resolved(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Mode(StrEnum):
    """What a run sends."""

    NEW = "new"
    FAILED = "failed"
    ALL = "all"


class RunOptions(Part):
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
    calls_per_second: Annotated[float | None, Field(gt=0, le=1000, description="A lower pace for this run.")] = None
    max_objects: Annotated[
        int | None, Field(ge=1, description="Pause when so many objects are sent, instead of the file's brake.")
    ] = None
    max_calls: Annotated[
        int | None, Field(ge=1, description="Pause when so many calls are made, instead of the file's brake.")
    ] = None
    max_minutes: Annotated[
        float | None,
        Field(gt=0, le=525_600, description="Pause when so many minutes are over, instead of the file's brake."),
    ] = None
    ignore_window: Annotated[bool, Field(description="Send outside the migration's window, too.")] = False
    resume: Annotated[
        str | None,
        Field(
            min_length=1,
            description="Go on with the rest of this run (its id), as it was begun; only pace and brakes may differ.",
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


class _Loader(yaml.SafeLoader):
    """YAML as usual, but a setting that is written twice is refused: the first would be dropped without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node whose keys are all different."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is written twice: keep one", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_migration(path: Path) -> Migration:
    """Reads one migration file.

    Raises:
        BadMigrationFile: naming each field, its value and the fix.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise BadMigrationFile(str(path), [f"cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise BadMigrationFile(str(path), [f"is not UTF-8 (byte {error.start}): save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        raise BadMigrationFile(str(path), [f"is not YAML: {' '.join(str(error).split())}"]) from error
    except (ValueError, RecursionError) as error:
        # What YAML takes for a date may be none (2024-02-30).
        raise BadMigrationFile(str(path), [f"holds a value that cannot be read: {error}"]) from error
    if not isinstance(content, dict):
        raise BadMigrationFile(str(path), ["must be a mapping that begins with `name:`"])
    return _beside(path, parse_migration(content, origin=str(path)))


def _beside(path: Path, migration: Migration) -> Migration:
    """The migration with a relative path to its manifest or inventory made absolute: workers start in other folders."""
    source = migration.source
    place = source.place
    if not place or place.startswith("oss://") or Path(place).is_absolute():
        return migration
    absolute = str(path.absolute().parent / place)
    moved: dict[str, Any] = {}
    if source.manifest is not None:
        moved["manifest"] = source.manifest.model_copy(update={"location": absolute})
    elif source.inventory is not None:
        moved["inventory"] = source.inventory.model_copy(update={"manifest": absolute})
    return migration.model_copy(update={"source": source.model_copy(update=moved)})


def parse_migration(content: Mapping[str, Any], *, origin: str) -> Migration:
    """Validates a migration that was read already; origin names it in errors.

    Raises:
        BadMigrationFile: naming each field, its value and the fix.
    """
    try:
        return Migration.model_validate(content)
    except ValidationError as error:
        raise BadMigrationFile(origin, _problems(error, Migration)) from None


def parse_options(content: Mapping[str, Any]) -> RunOptions:
    """Validates a run's options; empty values (an untouched form field) count as not given.

    Raises:
        BadOption: naming each option, its value and the fix.
    """
    given = {name: value for name, value in content.items() if value not in (None, "", [])}
    try:
        return RunOptions.model_validate(given)
    except ValidationError as error:
        raise BadOption("; ".join(_problems(error, RunOptions)).removeprefix("the file: ")) from None


_WORDING = {
    "tuple_type": "must be a list, e.g. [a, b]",
    "model_type": "must be a mapping of settings",
    "bool_type": "must be true or false",
    "string_type": "must be text: put it in quotes",
    "dict_type": "must be a mapping",
    "date_from_datetime_inexact": "must be a date without a time: write it as YYYY-MM-DD",
    "date_from_datetime_parsing": "must be a date: write it as YYYY-MM-DD",
    "datetime_from_date_parsing": "must be a time: write it as YYYY-MM-DD or YYYY-MM-DDTHH:MM",
}
"""pydantic's own words where they speak of Python."""


def _problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    problems = []
    details = error.errors(include_url=False)
    above = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    for detail in details:
        if detail["type"] == "too_short" and detail["loc"] in above:
            # A list whose every value is bad is not empty: the values are the problem.
            continue
        where = ".".join(str(part) for part in detail["loc"]) or "the file"
        if detail["type"] == "extra_forbidden":
            known = _field_names(model, detail["loc"][:-1])
            near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
            problems.append(f"{where}: unknown setting; {hint}")
        elif detail["type"] == "missing":
            problems.append(f"{where}: is required and missing")
        else:
            message = _WORDING.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(detail["input"], dict) else f" (got {detail['input']!r})"
            problems.append(f"{where}: {message}{shown}")
    return problems


def _field_names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if isinstance(part, int):
            continue
        for name, field in model.model_fields.items():
            if part in (name, field.alias) and (inner := _model_within(field.annotation)):
                model = inner
                break
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_within(inner))), None)
