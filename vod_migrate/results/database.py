"""Connecting to the results database: whether it can hold results, whether its schema fits, and each refusal in a sentence.

A named database is used as it is and migrated only by `vod-migrate db upgrade`; the embedded one migrates itself.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import aiosql
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from vod_migrate.errors import StoreDenied, StoreNotMigrated, StoreTooNew, StoreUnreachable, StoreUnusable
from vod_migrate.results.driver_errors import READ_ONLY, reason, told

_QUERIES: Any = aiosql.from_path(
    Path(__file__).parent / "queries" / "database.sql", "psycopg", mandatory_parameters=False
)
_UPGRADE_LOCK = 0x766F646D  # "vodm": two processes must not migrate one database at once
_CONNECT_SECONDS = 10
_UTC = ("UTC", "Etc/UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseState:
    """What a database is, and what the role may do in it.

    airflow: the schema in which Airflow has its own tables; not_granted: our tables that the role may not read and write.
    """

    role: str
    database: str
    encoding: str
    standby: bool
    read_only: bool
    may_create: bool
    has_schema: bool
    may_use: bool
    may_extend: bool
    has_version: bool
    has_tables: bool
    not_granted: list[str]
    airflow: str | None
    version: int | None = None


def upgrade_schema(url: str) -> str:
    """Brings the schema to this version; safe for several processes at once. Returns the version.

    Raises:
        StoreUnreachable: no connection, or a read-only one.
        StoreTooNew: the database is ahead of this installation.
        StoreDenied, StoreUnusable: see refuse_unfit and refuse_ungranted.
    """
    with connected(url) as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_UPGRADE_LOCK,))
        state = _state(connection)
        refuse_unfit(state)
        refuse_ungranted(state)
        _refuse_newer(state.version)
        if not state.has_schema:
            connection.execute("create schema vod_migrate")
        elif not state.may_extend:
            raise StoreDenied(
                f"the role {state.role!r} may not create tables in the schema vod_migrate: run, as its owner, "
                f"`grant create on schema vod_migrate to {_quoted(state.role)}`, or upgrade as the owner"
            )
        have, want = state.version, _needed()
        for number, file in _versions():
            if number > (have or 0):
                connection.execute(file.read_bytes())
        if have is None:
            connection.execute("insert into vod_migrate.version values (%s)", (want,))
        elif have != want:
            connection.execute("update vod_migrate.version set version = %s", (want,))
        return str(want)


def check_schema(url: str) -> str:
    """Refuses a database that cannot hold results, or whose schema does not fit this version. Returns the version.

    Raises:
        StoreUnreachable, StoreDenied, StoreUnusable, StoreNotMigrated, StoreTooNew
    """
    state = database_state(url)
    refuse_unfit(state)
    refuse_ungranted(state)
    refuse_misfit(state)
    return str(state.version)


def database_state(url: str) -> DatabaseState:
    """What the database is, and the version of its schema (None: none yet, or it may not be read).

    Raises:
        StoreUnreachable, StoreDenied, StoreUnusable
    """
    with connected(url) as connection:
        return _state(connection)


def refuse_unfit(state: DatabaseState) -> None:
    """Refuses a database that cannot hold results, whoever asks.

    Raises:
        StoreUnusable: it is not UTF-8, or belongs to another program.
        StoreUnreachable: it is read-only; after a failover that ends by itself.
    """
    if state.encoding != "UTF8":
        raise StoreUnusable(
            f"the database {state.database!r} has the encoding {state.encoding}, which cannot store every key: create one with "
            "`create database vod_migrate encoding 'UTF8' template template0`, and name it"
        )
    if state.airflow is not None:
        raise StoreUnusable(
            f"the database {state.database!r} is Airflow's own (it has {state.airflow}.dag_run): results need a database that tasks can reach; "
            "create one with `create database vod_migrate`, and name it"
        )
    if state.has_tables and not state.has_version:
        raise StoreUnusable(
            f"the schema vod_migrate of the database {state.database!r} belongs to another program: name another database"
        )
    if state.read_only:
        why = "a standby" if state.standby else "default_transaction_read_only is on"
        raise StoreUnreachable(READ_ONLY.format(why))


def refuse_ungranted(state: DatabaseState) -> None:
    """Refuses a role that may not read and write our tables, or not make the schema while it is missing.

    Raises:
        StoreDenied
    """
    role = _quoted(state.role)
    if not state.has_schema and not state.may_create:
        raise StoreDenied(
            f"the role {state.role!r} may not create the schema vod_migrate in the database {state.database!r}: run, as its owner, "
            f"`create schema vod_migrate authorization {role}`"
        )
    if not state.may_use or state.not_granted:
        lacks = (
            f"the table {state.not_granted[0]!r} of the schema vod_migrate"
            if state.may_use
            else "the schema vod_migrate"
        )
        raise StoreDenied(
            f"the role {state.role!r} may not read and write {lacks}: run, as its owner, `grant usage on schema vod_migrate to {role}; "
            f"grant select, insert, update, delete on all tables in schema vod_migrate to {role}`"
        )


def refuse_misfit(state: DatabaseState) -> None:
    """Refuses a schema version that is not the one needed.

    Raises:
        StoreNotMigrated, StoreTooNew
    """
    have, want = state.version, _needed()
    if have == want:
        return
    _refuse_newer(have)
    found = "has no results schema yet" if have is None else f"is at schema {have}, this version needs {want}"
    raise StoreNotMigrated(f"the results database {found}: run `vod-migrate db upgrade`")


def refuse_too_few(url: str, wanted: int, *, seconds: float = 5.0) -> None:
    """Opens as many connections at once, and lets each answer a query before any is closed. seconds: for all of them.

    Raises:
        StoreUnusable: the server, or a pooler before it, serves fewer.
    """
    answers: queue.SimpleQueue[psycopg.Error | None] = queue.SimpleQueue()
    enough = threading.Event()

    def hold() -> None:
        try:
            with psycopg.connect(
                url, autocommit=True, **{**settings(url), "connect_timeout": ceil(seconds)}
            ) as connection:
                connection.execute("select 1")
                answers.put(None)
                enough.wait()
        except psycopg.Error as error:
            answers.put(error)

    for _ in range(wanted):
        threading.Thread(target=hold, name="connections", daemon=True).start()
    until, served, refusal = time.monotonic() + seconds, 0, f"no response within {seconds:g} s"
    with suppress(queue.Empty):
        for _ in range(wanted):
            error = answers.get(timeout=max(0.0, until - time.monotonic()))
            if error is None:
                served += 1
            else:
                refusal = reason(error)
    enough.set()
    if served < wanted:
        raise StoreUnusable(
            f"the results database serves {served} of the {wanted} connections that a run opens ({refusal}): allow more "
            "(max_connections, the role's CONNECTION LIMIT), or let the pooler pool transactions (PgBouncer: pool_mode = transaction)"
        )


def settings(url: str) -> dict[str, Any]:
    """How a connection is opened, whatever PGOPTIONS and PGCLIENTENCODING say; the address's own settings count.

    No plan is kept: one made while the tables were nearly empty would be kept while they grow, and a transaction pooler knows no
    prepared statements.
    """
    given = conninfo_to_dict(url)
    defaults = {"connect_timeout": _CONNECT_SECONDS, "application_name": "vod-migrate", "options": ""}
    return {
        **{name: value for name, value in defaults.items() if name not in given},
        "client_encoding": "utf8",
        "prepare_threshold": None,
    }


def adjust(connection: psycopg.Connection[Any]) -> None:
    """Gives a new connection the DateStyle and TimeZone that the code expects, where its role or database has others.

    A pooler in transaction mode follows these two for each client (PgBouncer: track_extra_parameters and its built-in list), unlike
    any other setting of a session.
    """
    status = connection.info.parameter_status
    if (status("DateStyle") or "").startswith("ISO") and status("TimeZone") in _UTC:
        return
    connection.execute("set datestyle = 'ISO'")
    connection.execute("set timezone = 'UTC'")
    if not connection.autocommit:
        connection.commit()


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """A connection of its own, in autocommit.

    Raises:
        StoreUnreachable, StoreDenied, StoreUnusable
    """
    with told(), psycopg.connect(url, autocommit=True, **settings(url)) as connection:
        adjust(connection)
        yield connection


def _state(connection: psycopg.Connection[Any]) -> DatabaseState:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_QUERIES.state.sql).fetchone()
        version = None
        if row is not None and row["has_version"] and row["may_use"] and "version" not in row["not_granted"]:
            found = cursor.execute("select v.version from vod_migrate.version v").fetchone()
            version = None if found is None else int(found["version"])
    assert row is not None  # noqa: S101 - the database that answers is in its catalog
    return DatabaseState(**row, version=version)


def _versions() -> list[tuple[int, Path]]:
    """The files that make the schema, by version: schema.sql, then schema/0002_…sql and so on."""
    here = Path(__file__).parent
    later = sorted((int(file.name.partition("_")[0]), file) for file in (here / "schema").glob("*.sql"))
    return [(1, here / "schema.sql"), *later]


def _needed() -> int:
    return _versions()[-1][0]


def _refuse_newer(have: int | None) -> None:
    if have is not None and have > _needed():
        raise StoreTooNew(
            f"the results database is at schema {have}, which this version of vod-migrate does not know: "
            "upgrade vod-migrate here, or name another database"
        )


def _quoted(role: str) -> str:
    return '"' + role.replace('"', '""') + '"'
