"""What a migration file says about exporting: a table of the results after each run."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from vod_migrate.migration.base import SettingsModel
from vod_migrate.migration.prefixes import BUCKET
from vod_migrate.migration.templates import Template, check_template

_OSS = "oss://"
_FACTS = ("date",)


class TableFormat(StrEnum):
    """How a table is written."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class ExportedRows(StrEnum):
    """Which results a table holds: those that have a MediaId, those that failed, or all."""

    MAPPING = "mapping"
    FAILURES = "failures"
    ALL = "all"


def _folder(to: str) -> str:
    check_template(to, _FACTS)
    if to.startswith(_OSS):
        bucket, _, folder = to.removeprefix(_OSS).partition("/")
        if not re.fullmatch(BUCKET, bucket):
            raise ValueError(f"{to!r} is not a folder in OSS: write oss://BUCKET/FOLDER/")
        if folder.startswith("/"):
            raise ValueError(f"{to!r} begins with an empty folder, which a key cannot: write oss://{bucket}{folder}")
    elif "://" in to:
        raise ValueError(f"{to!r} cannot be written to: write oss://BUCKET/FOLDER/ or an absolute path")
    elif not to.startswith("/"):
        raise ValueError(f"{to!r} is not an absolute path, and runs start in different folders: write /{to}")
    return to if to.endswith("/") else f"{to}/"


class Export(SettingsModel):
    """A table of the migration's results, written after each run, successful or not, under the name of the run."""

    to: Annotated[str, Field(min_length=1), AfterValidator(_folder)]
    """A folder: `oss://BUCKET/FOLDER/`, with the connection's credentials (`oss:PutObject`,
    `oss:AbortMultipartUpload`), or an absolute path. `{{ date }}` is the run's date, or the day on which it began."""
    format: TableFormat = TableFormat.CSV
    """`parquet` needs `pip install 'vod-migrate[parquet]'` where the run ends."""
    rows: ExportedRows = ExportedRows.ALL
    """`mapping`: objects with a MediaId; `failures`: failed objects; `all`: both, and objects that are gone."""
    only_changes: Annotated[bool, Field(strict=True)] = False
    """Only objects that have changed since the migration's last export with the same `to`, `format` and `rows`; the first table is complete."""

    def folder(self, date: dt.date) -> str:
        """Where the table of a run goes, ending in a slash.

        Raises:
            TemplateError: the template cannot be filled in.
        """
        return Template(self.to).fill({"date": date})
