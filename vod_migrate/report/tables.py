"""The tables for other programs: failures, the mapping of objects to MediaIds, and results as they are exported.

Rows are streamed with a server-side cursor, so memory stays flat however long a table is, and a table is one moment of the database.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import tuple_row

from vod_migrate.migration.export import ExportedRows
from vod_migrate.report.diagnosis import diagnose
from vod_migrate.report.loader import QUERIES
from vod_migrate.report.table_formats import Table
from vod_migrate.results.csv_tables import FAILURE_COLUMNS, MAPPING_COLUMNS, RESULT_COLUMNS
from vod_migrate.results.session import StoreConnection
from vod_migrate.results.store import Store

MappingScope = Literal["run", "migration"]

_ROWS_A_FETCH = 5_000
_LOOKED_UP = 200_000
"""Facts that an export looks up by their keys, which takes seconds. A walk through 16,000,000 takes 15 s, and has no limit."""
_MAPPING = tuple(RESULT_COLUMNS.index({"registered_at": "settled_at"}.get(name, name)) for name in MAPPING_COLUMNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultScope:
    """Which results: of the run's migration (whole) or of the run alone; rows: those that have a MediaId, those that failed, or all.

    prefix: of their keys; since: only those that were settled, marked as gone, found again or handed over at or after this time.
    """

    whole: bool
    rows: ExportedRows = ExportedRows.ALL
    prefix: str = ""
    since: dt.datetime | None = None


def failure_table(store: Store, run_id: str, *, most: int | None = None) -> Table:
    """The failures of a run, in the order of bucket and key, also of objects that a later run has registered."""

    def rows() -> Iterator[Sequence[Any]]:
        with _snapshot(store) as connection:
            for bucket, key, code, message, *rest in _rows(connection, QUERIES.failure_rows.sql, run_id=run_id):
                diagnosis = diagnose(code)
                yield bucket, key, code, message, diagnosis.meaning, diagnosis.fix, *rest

    return Table(columns=FAILURE_COLUMNS, rows=rows(), most=most, rest=_whole(run_id))


def mapping_table(store: Store, run_id: str, *, scope: MappingScope = "run", most: int | None = None) -> Table:
    """Object → MediaId, in the order of bucket and key.

    scope: what this run registered or found registered, or all that its migration has registered so far; the column run_id names the
    run that did it.
    """
    results = result_rows(store, run_id, ResultScope(whole=scope == "migration", rows=ExportedRows.MAPPING))
    rows = (tuple(row[place] for place in _MAPPING) for row in results)
    return Table(columns=MAPPING_COLUMNS, rows=rows, most=most, rest=_whole(run_id))


def result_rows(store: Store, run_id: str, scope: ResultScope) -> Iterator[Sequence[Any]]:
    """Results with the values of RESULT_COLUMNS, in the order of bucket and key."""
    with _snapshot(store) as connection:
        for place in QUERIES.result_sources(connection, run_id=run_id, whole=scope.whole):
            yield from _rows(
                connection,
                QUERIES.result_rows.sql,
                source_id=place["source_id"],
                migration_id=place["migration_id"],
                run_no=None if scope.whole else place["run_no"],
                first_key=place["first_key"],
                last_key=place["last_key"],
                what=scope.rows.value,
                prefix=scope.prefix,
                since=scope.since,
                few=scope.since is not None
                and QUERIES.few_changed(connection, source_id=place["source_id"], since=scope.since, most=_LOOKED_UP),
            )


def _whole(run_id: str) -> str:
    return f"`vod-migrate report {run_id} --output DIRECTORY` writes all of them"


@contextmanager
def _snapshot(store: Store) -> Iterator[StoreConnection]:
    with store.connection() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        # A reader waits for the first rows. For all of them together, Postgres would rather sort a large table on disk than walk its key.
        connection.execute("set local cursor_tuple_fraction = 0.05")
        # A reader that has gone away without a word must not keep old rows from being cleaned up.
        connection.execute("set local idle_in_transaction_session_timeout = '5min'")
        yield connection


def _rows(connection: StoreConnection, query: str, **values: Any) -> Iterator[tuple[Any, ...]]:
    with psycopg.ServerCursor(connection, "report_rows", row_factory=tuple_row) as cursor:
        cursor.itersize = _ROWS_A_FETCH
        cursor.execute(query.encode(), values)
        yield from cursor
