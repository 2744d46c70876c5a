"""What a migration file says about its objects: where they come from, and which of them are taken."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError, model_validator

from vod_migrate.migration.base import SettingsModel, reject_number
from vod_migrate.migration.patterns import matcher
from vod_migrate.migration.prefixes import BUCKET, check_bucket, check_prefixes
from vod_migrate.migration.templates import PREFIX_FACTS, check_template

MEDIA_EXTENSIONS: tuple[str, ...] = tuple(
    "mp4 ts 3gp mpg mpeg mpe dat vob asf avi wmv flv f4v rm rmvb mov mkv m3u8 dv gif m2t m4v mj2 mjpeg mts ogg qt swf "  # noqa: SIM905 - reads as the page's own list
    "webm mp3 wma wav aac ra m4a flac ape ac3 amr caf acm".split()
)
"""Video and audio formats that VOD accepts (VOD upload overview and media-uploader pages, read 2026-11)."""

ARCHIVED_CLASSES = ("Archive", "ColdArchive", "DeepColdArchive")
STORAGE_CLASSES = ("Standard", "IA", *ARCHIVED_CLASSES)
"""The names of the storage classes in a listing (storage classes overview page)."""

OBJECT_COLUMNS = ("size", "etag", "last_modified", "storage_class")
"""Columns of a manifest that stand for what a listing shows of an object."""

BucketName = Annotated[str, BeforeValidator(check_bucket), Field(pattern=BUCKET)]
_DATED = re.compile(r"\{\{\s*(date|interval_start|interval_end)\b")
_OSS_LOCATION = re.compile(r"oss://(?P<bucket>[^/]*)/?(?P<key>.*)", re.DOTALL)
_FORMATS = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}

KeyEncoding = Literal["plain", "url", "form"]


def _check_location(location: str) -> str:
    if (found := _OSS_LOCATION.fullmatch(location)) is not None:
        if not re.fullmatch(BUCKET, found["bucket"]) or not found["key"]:
            raise ValueError(f"{location!r} is not a location in OSS: write oss://BUCKET/KEY")
    elif "://" in location:
        raise ValueError(f"{location!r} cannot be read from: write a path, or oss://BUCKET/KEY")
    check_template(location, PREFIX_FACTS)
    return location


_Location = Annotated[str, Field(min_length=1), AfterValidator(_check_location)]


class ManifestColumns(SettingsModel):
    """Assigns manifest columns to fields. If a cell is empty, the templates fill its field."""

    title: Annotated[str | None, Field(min_length=1)] = None
    """Column of the Title."""
    description: Annotated[str | None, Field(min_length=1)] = None
    """Column of the Description."""
    tags: Annotated[str | None, Field(min_length=1)] = None
    """Column of the Tags."""
    cover_url: Annotated[str | None, Field(min_length=1)] = None
    """Column of the CoverURL."""
    category: Annotated[str | None, Field(min_length=1)] = None
    """Column of the category's path."""
    cate_id: Annotated[str | None, Field(min_length=1)] = None
    """Column of the CateId."""
    reference_id: Annotated[str | None, Field(min_length=1)] = None
    """Column of the ReferenceId."""
    size: Annotated[str | None, Field(min_length=1)] = None
    """Column of the size in bytes; `size` if there is one."""
    etag: Annotated[str | None, Field(min_length=1)] = None
    """Column of the ETag; `etag` if there is one."""
    last_modified: Annotated[str | None, Field(min_length=1)] = None
    """Column of the last change, ISO 8601 (without an offset, in `timezone`); `last_modified` if there is one."""
    storage_class: Annotated[str | None, Field(min_length=1)] = None
    """Column of the storage class; `storage_class` if there is one."""

    @model_validator(mode="after")
    def _one_category(self) -> ManifestColumns:
        if self.category and self.cate_id:
            raise ValueError(f"both category ({self.category}) and cate_id ({self.cate_id}) are given: keep one")
        return self

    def named(self) -> dict[str, str]:
        """Setting: column, for those that were given."""
        return {name: column for name, column in self.model_dump().items() if column is not None}


class Manifest(SettingsModel):
    """A table with one object per row; templates can use all of its columns as `row.<column>`."""

    location: _Location
    """A path (relative to this file) or oss://BUCKET/KEY; may use `{{ date }}`."""
    format: Literal["csv", "jsonl", "parquet"] | None = None
    """By default, the extension decides: .csv, .jsonl, .parquet; the text formats also with .gz."""
    key_column: Annotated[str, Field(min_length=1)] = "key"
    """Column with the object: a key, oss://BUCKET/KEY, or an https URL in the bucket."""
    key_encoding: KeyEncoding = "plain"
    """Encoding of bare keys: `plain`, `url` (percent-encoded) or `form` (percent-encoded, and + is a space)."""
    columns: ManifestColumns = ManifestColumns()
    null_values: tuple[str, ...] = ("\\N", "NULL", "null", "NaN", "nan", "None", "#N/A")
    """Texts that count as an empty cell, in every column; [] reads every text literally."""
    check: Literal["none", "head"] = "none"
    """`head` looks up each object in OSS: it must exist, and OSS provides its size, storage class and time."""

    @model_validator(mode="after")
    def _known_format(self) -> Manifest:
        if self.format is None and self._extension() not in _FORMATS:
            raise ValueError(f"{self.location!r} does not end in .csv, .jsonl or .parquet: set `format`")
        return self

    def _extension(self) -> str:
        return self.location.lower().removesuffix(".gz").rpartition(".")[2]

    @property
    def kind(self) -> str:
        """csv, jsonl or parquet."""
        return self.format or _FORMATS[self._extension()]


class Inventory(SettingsModel):
    """An OSS bucket inventory: its manifest.json and gzip CSV files, checked by their MD5."""

    manifest: _Location
    """The manifest.json: its key in `bucket`, or oss://BUCKET/KEY; without `bucket`, a path to it or to its folder."""
    bucket: BucketName | None = None
    """The bucket that holds the inventory; leave it out for a folder on this machine."""
    key_encoding: KeyEncoding = "url"
    """Encoding of the keys. OSS documents URL encoding, but not how it encodes a space: `form` reads + as one."""

    @model_validator(mode="after")
    def _one_bucket(self) -> Inventory:
        if self.bucket is not None and "://" in self.manifest:
            raise ValueError(f"both bucket ({self.bucket}) and a whole address ({self.manifest}) are given: keep one")
        return self

    @property
    def location(self) -> str:
        """A path, or oss://BUCKET/KEY."""
        return self.manifest if self.bucket is None else f"oss://{self.bucket}/{self.manifest}"


class Source(SettingsModel):
    """Where the objects are: listed by prefix, read from a manifest, or read from an inventory."""

    bucket: BucketName
    """The OSS bucket; it must have been added to VOD."""
    prefixes: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(check_prefixes)] = ("",)
    """Key prefixes to list; `{{ date }}` is the local date of the interval's start. [''] is the whole bucket. With an
    inventory, only its objects under these prefixes are taken."""
    manifest: Manifest | None = None
    """A table of objects, instead of prefixes."""
    inventory: Inventory | None = None
    """An OSS inventory, instead of listing the bucket."""
    domains: tuple[str, ...] = ()
    """Custom domains of the bucket, e.g. media.example.com: a manifest may name objects by URLs of these domains."""

    requests_at_once: Annotated[int, Field(ge=1, le=64)] = 8
    """How many pages of a listing are requested at the same time."""

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if self.manifest is not None and self.inventory is not None:
            raise ValueError("both manifest and inventory are given: keep one")
        if self.manifest is not None and self.prefixes != ("",):
            raise ValueError(
                "both manifest and prefixes are given: keep one, and narrow a manifest by `select.include` or the run's prefixes"
            )
        return self

    @property
    def listed(self) -> bool:
        """Whether objects come from listing the bucket."""
        return self.manifest is None and self.inventory is None

    @property
    def location(self) -> str:
        """Of the manifest or inventory: a path, or oss://BUCKET/KEY; '' where the bucket is listed."""
        origin = self.manifest or self.inventory
        return "" if origin is None else origin.location

    def at(self, location: str) -> Source:
        """The same source with its manifest or inventory at another location."""
        if self.manifest is not None:
            return self.model_copy(update={"manifest": self.manifest.model_copy(update={"location": location})})
        if self.inventory is not None:
            whole = {"manifest": location, "bucket": None}
            return self.model_copy(update={"inventory": self.inventory.model_copy(update=whole)})
        return self

    @property
    def dated(self) -> bool:
        """Whether a prefix or the location depends on the run's date."""
        return any(_DATED.search(text) for text in (*self.prefixes, self.location))


_MOMENT = TypeAdapter(dt.datetime)
_EDGES = re.compile(r"(?:\{\{\s*)?(interval_start|interval_end)(?:\s*\}\})?")


def _moment_or_edge(value: Any) -> Any:
    if isinstance(value, str) and (edge := _EDGES.fullmatch(value.strip())):
        return edge[1]
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        return _MOMENT.validate_python(reject_number(value))
    except ValidationError:
        raise ValueError(
            "is not a time: write YYYY-MM-DD, YYYY-MM-DDTHH:MM with or without an offset, interval_start or interval_end"
        ) from None


_Edge = Annotated[
    dt.datetime | Literal["interval_start", "interval_end"] | None,
    BeforeValidator(_moment_or_edge),
]


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        matcher(pattern)
    return patterns


def _known_extensions(extensions: tuple[str, ...]) -> tuple[str, ...]:
    cleaned = tuple(extension.lower().removeprefix(".") for extension in extensions)
    for extension in cleaned:
        if extension not in MEDIA_EXTENSIONS:
            near = difflib.get_close_matches(extension, MEDIA_EXTENSIONS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it"
            raise ValueError(f"VOD does not accept {extension!r} files: {hint}")
    return cleaned


def _check_classes(classes: tuple[str, ...]) -> tuple[str, ...]:
    for name in classes:
        if name not in STORAGE_CLASSES:
            raise ValueError(f"OSS has no storage class {name!r}; known: {', '.join(STORAGE_CLASSES)}")
    return classes


_Patterns = Annotated[tuple[str, ...], AfterValidator(_check_patterns)]


class Select(SettingsModel):
    """Which objects are registered; each object that is left out is counted under a named reason."""

    include: _Patterns = ()
    """Only keys that match one of these: a glob over the whole key (`*` also matches `/`), or `re:` and a regular
    expression that may match anywhere in the key. Empty: all."""
    exclude: _Patterns = ()
    """Leave out keys that match one of these; the same kinds of patterns."""
    extensions: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_known_extensions)] = MEDIA_EXTENSIONS
    """File extensions without the dot, case-insensitive; by default all that VOD accepts."""
    hls: Literal["playlists", "all"] = "playlists"
    """`playlists`: segments and other parts of HLS and DASH streams are left out; the playlist represents them. `all` registers them."""
    hidden: Literal["skip", "register"] = "skip"
    """`skip` leaves out names that only programs use: `._*`, `@eaDir/`, recycle bins, `*.part` and the like (the page
    on sources has the whole list); `register` registers them."""
    min_size: Annotated[int, Field(ge=0)] = 1
    """Smallest size in bytes; 1 leaves empty objects out."""
    max_size: Annotated[int | None, Field(ge=1)] = None
    """Largest size in bytes."""
    modified_after: _Edge = None
    """Only objects modified at or after this time: a time (without an offset, the migration's time zone), or the run's
    `interval_start` or `interval_end`."""
    modified_before: _Edge = None
    """Only objects modified before this time; takes the same values."""
    storage_classes: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_check_classes)] = (
        "Standard",
        "IA",
    )
    """Storage classes to register. Archived objects are left out by default, because VOD cannot read them."""
    archived: Literal["skip", "restored", "register"] = "skip"
    """Objects of the archive classes: `skip` registers only those in storage_classes; `restored` also registers
    restored copies, whose media may stop playing when the copy expires; `register` registers all of them."""
    restored_min_days: Annotated[int, Field(ge=0, le=365)] = 1
    """With `archived: restored`: for how many days a copy must still be readable."""

    on_moved: Literal["hold", "register"] | None = None
    """What to do with an unregistered object of 64 KiB or more that has the size and ETag of a registered one: it was
    moved or renamed if that one is gone, and is a duplicate otherwise. `hold` leaves it out, `register` registers it;
    null: a run registers the first 100 and holds the others."""

    @model_validator(mode="after")
    def _in_order(self) -> Select:
        if self.max_size is not None and self.max_size < self.min_size:
            raise ValueError(
                f"max_size {self.max_size} is below min_size {self.min_size}, so no object would be selected"
            )
        after, before = self.modified_after, self.modified_before
        empty = (after is not None and after == before) or (after, before) == ("interval_end", "interval_start")
        if isinstance(after, dt.datetime) and isinstance(before, dt.datetime):
            # One with an offset and one without are compared when the run is prepared.
            empty = (after.tzinfo is None) == (before.tzinfo is None) and after >= before
        if empty:
            raise ValueError(
                f"modified_after {after} is not before modified_before {before}, so no object would be selected"
            )
        return self

    @property
    def windowed(self) -> bool:
        """Whether objects are selected by the time of their last change."""
        return self.modified_after is not None or self.modified_before is not None

    @property
    def follows_interval(self) -> bool:
        """Whether an edge of the time of the last change follows the data interval."""
        return isinstance(self.modified_after, str) or isinstance(self.modified_before, str)
