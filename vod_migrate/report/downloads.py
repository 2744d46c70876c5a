"""Tables as streams of bytes for a browser to save: bounded, and never whole in memory.

The caller checks that the run may be read (`browse.runs.readable_run`); a search is narrowed here, like every search.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from urllib.parse import quote

from vod_migrate.migration.export import TableFormat
from vod_migrate.report.browse.access import Readable
from vod_migrate.report.browse.objects import ObjectLine, walk_objects
from vod_migrate.report.browse.search import Search
from vod_migrate.report.files import file_stem
from vod_migrate.report.table_formats import Table, encoded
from vod_migrate.report.tables import failure_table, mapping_table
from vod_migrate.results.csv_tables import SEARCH_COLUMNS
from vod_migrate.results.store import Store

MOST_ROWS = 1_000_000
"""As many as a spreadsheet can open (1,048,576 rows); the command line writes tables of any length."""


def failures_csv(store: Store, run_id: str, *, most: int = MOST_ROWS) -> Iterator[bytes]:
    """The failures of a run as CSV, as its report has them; a last line says where more were left out."""
    return encoded(failure_table(store, run_id, most=most), TableFormat.CSV)


def mapping_csv(store: Store, run_id: str, *, most: int = MOST_ROWS) -> Iterator[bytes]:
    """Object → MediaId as CSV, as the report has it; a last line says where more were left out."""
    return encoded(mapping_table(store, run_id, most=most), TableFormat.CSV)


def objects_csv(store: Store, search: Search, *, readable: Readable, most: int = MOST_ROWS) -> Iterator[bytes]:
    """The objects of a search as CSV, in the order of its pages; a last line says where more were left out."""
    rows = map(attrgetter(*ObjectLine.__slots__), walk_objects(store, search, readable=readable, most=most + 1))
    table = Table(columns=SEARCH_COLUMNS, rows=rows, most=most, rest="narrow the search to get the others")
    return encoded(table, TableFormat.CSV)


def mapping_parquet(store: Store, run_id: str, *, most: int = MOST_ROWS) -> Iterator[bytes]:
    """Object → MediaId as Parquet: texts exactly as they are, sizes as integers, times as UTC timestamps.

    A table that was cut has `vod_migrate.cut` in the file's metadata.

    Raises:
        BadSetting: pyarrow is not installed.
    """
    return encoded(mapping_table(store, run_id, most=most), TableFormat.PARQUET)


def attachment(run_id: str, suffix: str) -> str:
    """The Content-Disposition of a download named after a run (or a search): safe in a header and in every file system (RFC 6266)."""
    # What a file name cannot have, here or on Windows, and what would turn or hide a part of it.
    kept = "".join("_" if not one.isprintable() or one in '\\/:*?"<>|' else one for one in run_id)
    readable = quote(kept.lstrip(".")[:100] or "table", safe="")
    return f"attachment; filename=\"{file_stem(run_id)}.{suffix}\"; filename*=UTF-8''{readable}.{suffix}"
