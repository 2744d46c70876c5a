"""Everything a migration file and a run's options may say, validated; unknown keys are refused by name.

The models are the one source of the defaults, the JSON schema and the reference page.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vod_migrate.errors import BadMigrationFile, BadOption
from vod_migrate.spec_part import PREFIX_FACTS, Date, Moment, Part, check_template
from vod_migrate.spec_source import (
    MEDIA_EXTENSIONS,
    OBJECT_COLUMNS,
    STORAGE_CLASSES,
    Inventory,
    Manifest,
    Select,
    Source,
)

__all__ = [
    "MEDIA_EXTENSIONS",
    "PREFIX_FACTS",
    "STORAGE_CLASSES",
    "Inventory",
    "Manifest",
    "Migration",
    "Mode",
    "RunOptions",
    "Select",
    "Source",
    "load_migration",
    "parse_migration",
    "parse_options",
]

TEMPLATE_FACTS = ("key", "bucket", "name", "stem", "extension", "folder", "folders", "size", "last_modified", "row")
"""What a template may use about an object."""

ACCOUNT_CALLS_PER_SECOND = 47.0
"""The account's own pace: 94 % of the documented 50 calls/s, which 20 ms of network jitter still fits into."""

_NAME = r"^[a-z0-9][a-z0-9_.-]{0,99}$"
_CRON_FIELDS = 5


class Describe(Part):
    """The RegisterMetadata of an object, made from its key."""

    title: Annotated[
        str,
        Field(
            min_length=1,
            description="Jinja2 template of the Title: `key`, `name` (last part), `stem` (without extension), `extension`, "
            "`folder`, `folders`, `bucket`, `size`, `last_modified`, `row` (columns of a manifest). Cut at 128 UTF-8 bytes.",
        ),
    ] = "{{ stem }}"

    @field_validator("title")
    @classmethod
    def _readable_template(cls, title: str) -> str:
        check_template(title, TEMPLATE_FACTS, "object")
        return title


class Register(Part):
    """How the files are registered. Exactly one of template_group_id and workflow_id must be chosen."""

    template_group_id: Annotated[
        str | None,
        Field(
            min_length=1, max_length=64, description="`VOD_NO_TRANSCODE`, or the ID of a transcoding template group."
        ),
    ] = None
    workflow_id: Annotated[str | None, Field(min_length=1, max_length=64, description="The ID of a VOD workflow.")] = (
        None
    )
    calls_per_second: Annotated[
        float | None,
        Field(
            gt=0,
            le=1000,
            description="A cap for this migration below the account's own pace, which the connection sets.",
        ),
    ] = None
    url_encoding: Annotated[
        Literal["percent", "raw"],
        Field(
            description="How the key stands in FileURL. The vendor does not say; `percent` is what its sibling APIs ask for."
        ),
    ] = "percent"
    max_request_bytes: Annotated[
        int,
        Field(
            ge=2048,
            le=65536,
            description="Upper bound of one call's encoded query; a call takes fewer than 10 files where ten would exceed it.",
        ),
    ] = 32768
    workers: Annotated[
        int, Field(ge=1, le=8, description="Register tasks a run; one saturates an account, more are for availability.")
    ] = 1
    threads: Annotated[int, Field(ge=1, le=128, description="Threads a worker.")] = 32
    retry_failed: Annotated[
        int,
        Field(
            ge=0, le=365, description="For how many nights mode `new` tries a failed object again; 0 leaves it alone."
        ),
    ] = 0

    @model_validator(mode="after")
    def _one_way_of_processing(self) -> Register:
        if self.template_group_id is None and self.workflow_id is None:
            raise ValueError(
                "the choice of transcoding is missing: set template_group_id to VOD_NO_TRANSCODE or a template group's ID, or set workflow_id"
            )
        if self.template_group_id is not None and self.workflow_id is not None:
            raise ValueError(
                f"both template_group_id ({self.template_group_id}) and workflow_id ({self.workflow_id}) are given; "
                "VOD would silently prefer the workflow, so keep exactly one"
            )
        return self


class Stop(Part):
    """When a run gives up because too much fails."""

    failure_share: Annotated[
        float, Field(gt=0, le=1, description="Share of failed outcomes above which the run stops.")
    ] = 0.2
    min_outcomes: Annotated[int, Field(ge=1, description="Outcomes needed before the share counts.")] = 500


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
    schedule: Annotated[str | None, Field(description="Cron expression in `timezone`; null means by hand only.")] = None
    timezone: Annotated[str, Field(description="IANA time zone of schedule and dates.")] = "Asia/Shanghai"
    start_date: Annotated[
        Date | None, Field(description="First local date that a backfill may cover; null: 2020-01-01.")
    ] = None

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, populate_by_name=True)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            near = difflib.get_close_matches(zone, available_timezones(), 1)
            raise ValueError(f"{zone!r} is no IANA time zone" + (f": did you mean {near[0]!r}?" if near else ""))
        return zone

    @field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str | None) -> str | None:
        # The timetable parses it in full; this keeps the commonest slip out of the scheduler's log.
        if schedule is not None and not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
            raise ValueError(f"{schedule!r} is no cron expression: it has five fields, e.g. '0 1 * * *'")
        return schedule

    @model_validator(mode="after")
    def _columns_of_fields(self) -> Migration:
        manifest = self.source.manifest
        for name in manifest.columns.named() if manifest is not None else ():
            if name not in (*Describe.model_fields, *OBJECT_COLUMNS):
                raise ValueError(f"source.manifest.columns.{name} is given, but `describe` has no {name}: remove it")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The migration's time zone."""
        return ZoneInfo(self.timezone)

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
    calls_per_second: Annotated[float | None, Field(gt=0, le=1000, description="A lower pace for this run.")] = None

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
        raise BadOption("; ".join(_problems(error, RunOptions))) from None


_WORDING = {
    "tuple_type": "must be a list, e.g. [a, b]",
    "model_type": "must be a mapping of settings",
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
        for name, field in model.model_fields.items():
            # An optional part is `Model | None`.
            choices = (field.annotation, *get_args(field.annotation))
            inner = next((one for one in choices if isinstance(one, type) and issubclass(one, BaseModel)), None)
            if part in (name, field.alias) and inner is not None:
                model = inner
                break
    return [field.alias or name for name, field in model.model_fields.items()]
