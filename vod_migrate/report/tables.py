"""The tables for other programs: failures, and the mapping of objects to MediaIds, as CSV.

Rows are streamed with a server-side cursor, so memory stays flat however long a table is. The files begin with a byte order mark, by
which Excel knows UTF-8, and no cell can start a formula in a spreadsheet: see `guarded`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TextIO

import psycopg
from psycopg.rows import tuple_row

from vod_migrate.report.diagnosis import diagnose
from vod_migrate.report.loader import QUERIES
from vod_migrate.results.store import Store

ENCODING = "utf-8-sig"

FAILURE_COLUMNS = (
    "bucket",
    "key",
    "code",
    "message",
    "meaning",
    "fix",
    "request_id",
    "attempts",
    "size",
    "storage_class",
    "last_modified",
)
MAPPING_COLUMNS = (
    "bucket",
    "key",
    "media_id",
    "new_register",
    "title",
    "size",
    "etag",
    "storage_class",
    "registered_at",
    "run_id",
)

MappingScope = Literal["run", "migration"]

_ROWS_A_FETCH = 5_000
# What spreadsheets take for the start of a formula, the full-width forms of Chinese input included, after any guards.
_STARTERS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_SUSPECT = frozenset(f"'{_STARTERS}")
_FORMULA = re.compile(f"'*[{re.escape(_STARTERS)}]")


def guarded(cell: str) -> str:
    """The cell with a leading apostrophe where a spreadsheet would take it for a formula; `unguarded` gives it back exactly."""
    return "'" + cell if cell[:1] in _SUSPECT and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`: without one leading apostrophe, if a formula's first character follows it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def failure_rows(store: Store, run_id: str) -> Iterator[Sequence[Any]]:
    """The failures of a run, a row of FAILURE_COLUMNS each, in the order of bucket and key."""
    for bucket, key, code, message, *rest in _rows(store, QUERIES.failure_rows.sql, run_id):
        diagnosis = diagnose(code)
        yield bucket, key, code, message, diagnosis.meaning, diagnosis.fix, *rest


def mapping_rows(store: Store, run_id: str, *, scope: MappingScope = "run") -> Iterator[Sequence[Any]]:
    """Object → MediaId, a row of MAPPING_COLUMNS each, in the order of bucket and key.

    scope: what this run registered or found registered, or all that its migration has registered so far; the column run_id names the
    run that did it.
    """
    query = QUERIES.mapping_of_run if scope == "run" else QUERIES.mapping_of_migration
    yield from _rows(store, query.sql, run_id)


def write_failures(store: Store, run_id: str, file: TextIO) -> int:
    """Writes the failures of a run as CSV, in the order of bucket and key. Returns the number of rows.

    file: opened with `encoding=ENCODING, newline=""`.
    """
    return _write(file, FAILURE_COLUMNS, failure_rows(store, run_id))


def write_mapping(store: Store, run_id: str, file: TextIO, *, scope: MappingScope = "run") -> int:
    """Writes object → MediaId as CSV, in the order of bucket and key. Returns the number of rows.

    scope: see `mapping_rows`. file: opened with `encoding=ENCODING, newline=""`.
    """
    return _write(file, MAPPING_COLUMNS, mapping_rows(store, run_id, scope=scope))


def csv_line(cells: Sequence[Any]) -> str:
    """One line of CSV with its line end; no cell starts a formula."""
    line = io.StringIO()
    # Every text is quoted: a cell that a spreadsheet splits at ';' must not begin a formula in the middle.
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC).writerow(
        [guarded(cell) if type(cell) is str else cell for cell in cells]
    )
    return line.getvalue()


def _rows(store: Store, query: str, run_id: str) -> Iterator[tuple[Any, ...]]:
    with (
        store.connection() as connection,
        psycopg.ServerCursor(connection, "report_rows", row_factory=tuple_row) as cursor,
    ):
        # All rows will be read: without this, Postgres plans for the first tenth of them.
        connection.execute("set local cursor_tuple_fraction = 1")
        # A reader that has gone away without a word must not keep old rows from being cleaned up.
        connection.execute("set local idle_in_transaction_session_timeout = '5min'")
        cursor.itersize = _ROWS_A_FETCH
        cursor.execute(query.encode(), {"run_id": run_id})
        yield from cursor


def _write(file: TextIO, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    file.write(csv_line(columns))
    count = 0
    for row in rows:
        file.write(csv_line(row))
        count += 1
    return count
