"""One Postgres for a session's tests, and databases in it that are copies of a template: 35 ms each instead of 150."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from leaks import leaks_in_database
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from vod_migrate.results.database import upgrade_schema
from vod_migrate.results.embedded import postgres_library

_SETTINGS = """
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_connections = 200
"""
"""What a test writes may be lost in a power cut."""
_TEMPLATE = "migrated"
_ENOUGH_BYTES = 4 << 30


class Databases:
    """Makes databases of a server. url: of the database through which it is administered."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._create(_TEMPLATE)
        upgrade_schema(self._url_of(_TEMPLATE))

    @contextmanager
    def one(self) -> Iterator[str]:
        """The URL of a database with the newest schema, which is searched for secrets and dropped at the end."""
        url = self.create()
        yield url
        assert not leaks_in_database(url)
        self.drop(url)

    def create(self, *, migrated: bool = True) -> str:
        """The URL of a new database. migrated: with the newest schema, rather than empty."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self._create(name, template=_TEMPLATE if migrated else "template1")
        return self._url_of(name)

    def drop(self, url: str) -> None:
        self._administer("drop database {} with (force)", str(conninfo_to_dict(url)["dbname"]))

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Nobody gets into a database, and whoever was in it is thrown out."""
        name = str(conninfo_to_dict(url)["dbname"])
        self._administer("alter database {} allow_connections false", name)
        with psycopg.connect(self.url) as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        try:
            yield
        finally:
            self._administer("alter database {} allow_connections true", name)

    def _create(self, name: str, template: str = "template1") -> None:
        # A copy of files needs a checkpoint, which costs nothing without fsync; a copy through the log costs twice as much.
        self._administer(f"create database {{}} template {template} strategy file_copy", name)

    def _administer(self, statement: str, name: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def _url_of(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?", 1)


def _fast_folder() -> Path | None:
    """Memory, where there is enough of it: on a busy disk, copying a database takes ten times as long."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    enough = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ENOUGH_BYTES
    return memory if enough else None


@contextmanager
def postgres_of_the_session() -> Iterator[Databases]:
    """A server whose folder another session's pytest does not tidy away."""
    with tempfile.TemporaryDirectory(prefix="vod-test-", dir=_fast_folder(), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "postgres"
        server = postgres_library().get_server(home, cleanup_mode="stop", start=False)
        server.ensure_pgdata_inited()
        with (home / "postgresql.conf").open("a") as configuration:
            configuration.write(_SETTINGS)
        server.start()
        try:
            yield Databases(str(server.get_uri()))
        finally:
            server.cleanup()
