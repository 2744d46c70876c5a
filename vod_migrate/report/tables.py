"""The tables for other programs: failures, and the mapping of objects to MediaIds, as CSV.

Rows are streamed with a server-side cursor, so memory stays flat however long a table is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TextIO

import psycopg
from psycopg.rows import tuple_row

from vod_migrate.report.diagnosis import diagnose
from vod_migrate.report.loader import QUERIES
from vod_migrate.results.csv_tables import FAILURE_COLUMNS, MAPPING_COLUMNS, csv_line
from vod_migrate.results.store import Store

MappingScope = Literal["run", "migration"]

_ROWS_A_FETCH = 5_000


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
