"""What the Postgres driver says, as errors of ours that name the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as sql

from vod_migrate.errors import StoreDenied, StoreError, StoreFull, StoreUnreachable, StoreUnusable

READ_ONLY = "the results database is read-only ({}): name the primary, e.g. with all hosts and target_session_attrs=read-write in the address"


@contextmanager
def told() -> Iterator[None]:
    """Errors of the driver that somebody can mend are raised as ours; others are bugs."""
    try:
        yield
    except psycopg.Error as error:
        ours = explained(error)
        if ours is None:
            raise
        raise ours from error


_BY_CODE: tuple[tuple[tuple[type[psycopg.Error], ...], type[StoreError], str], ...] = (
    ((sql.DiskFull,), StoreFull, "the disk of the results database is full ({}): free space; until then nothing is sent, and nothing is lost"),
    ((sql.ReadOnlySqlTransaction,), StoreUnreachable, READ_ONLY),
    ((sql.InsufficientPrivilege,), StoreDenied, "the results database denies this role the operation ({}): `vod-migrate db check` names the grants that are missing"),
    ((sql.UndefinedTable, sql.UndefinedColumn, sql.UndefinedFunction, sql.InvalidSchemaName), StoreUnusable, "the schema vod_migrate is not as `vod-migrate db upgrade` made it ({}): restore it, or name another database"),
)  # fmt: skip
_BY_WORDS: tuple[tuple[str, type[StoreError], str], ...] = (
    # Words of an answer while connecting, what it is, and the fix. libpq gives no code for these.
    (r"unsupported startup parameter", StoreUnusable, "remove `options` from the address, or let the pooler ignore it (PgBouncer: ignore_startup_parameters = options)"),
    (r"database .* does not exist|no such database", StoreUnusable, "correct the name in the address, or run `create database ... encoding 'UTF8' template template0`"),
    (r"does not support SSL|root certificate file|certificate verify failed|server certificate|certificate file|private key", StoreUnusable, "correct sslmode and the certificates in the address"),
    (r"authentication failed|no password supplied|role .* does not exist|no such user|pg_hba\.conf|not permitted to log in|permission denied for database|channel binding|certificate", StoreDenied, "correct user and password in the address, and what the server allows this role"),
    (r"^connection is bad: (?!no server)|could not match|bad value for|Servname not supported", StoreUnusable, "correct this parameter of the address"),
    (r"too many (?:clients|connections)|remaining connection slots|no more connections allowed", StoreUnreachable, "allow more connections (max_connections, the role's CONNECTION LIMIT, or the pooler's max_client_conn)"),
)  # fmt: skip


_PLACE = re.compile(r"connection to server (?:at|on socket) .*? failed: ")
"""What says where a server is: a host may be called anything."""


def explained(error: psycopg.Error) -> StoreError | None:
    """Our error for one of the driver's; None for one that only a bug makes."""
    answer = reason(error)
    if isinstance(error, (sql.DeadlockDetected, sql.SerializationFailure)):
        return None  # a collision: whoever asked tries again
    for kinds, kind, text in _BY_CODE:
        if isinstance(error, kinds):
            return kind(text.format(answer))
    told_of = _PLACE.sub("no server: ", str(error))
    for words, kind, fix in _BY_WORDS if error.sqlstate is None else ():
        if re.search(words, told_of, re.IGNORECASE | re.MULTILINE):
            return kind(f"the results database cannot be used: {answer}; {fix}")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) or out_of_step(error):
        return StoreUnreachable(f"the results database cannot be reached: {answer}")
    return None


def out_of_step(error: psycopg.Error) -> bool:
    """Whether a connection gave another answer than the one to its question, as when a pooler lost its server in between."""
    return isinstance(error, psycopg.InternalError) and error.sqlstate is None


def reason(error: Exception) -> str:
    """The first line of a driver's message; such messages name host and user, never the password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
