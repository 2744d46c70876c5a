"""An embedded Postgres with a database for Airflow and one for the results, as a production Airflow has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


@dataclass(frozen=True, kw_only=True)
class LocalPostgres:
    """A server behind a Unix socket. socket: the folder of the socket; user: its superuser, without a password."""

    socket: str
    user: str

    def url(self, database: str, *, driver: str = "") -> str:
        """A URL of one database. driver: SQLAlchemy's suffix, e.g. `+psycopg2`."""
        return f"postgresql{driver}://{self.user}@/{database}?host={quote(self.socket, safe='/')}"


@contextmanager
def local_postgres(folder: Path, databases: tuple[str, ...]) -> Iterator[LocalPostgres]:
    """Starts a server whose files are in `folder`, makes the databases that are not there, and stops it at the end."""
    import psycopg  # noqa: PLC0415 - database driver

    from vod_migrate.results.embedded import plain_locale, postgres_library  # noqa: PLC0415 - database driver

    with plain_locale():
        server = postgres_library().get_server(folder, cleanup_mode="stop")
    try:
        parts = urlsplit(server.get_uri())
        local = LocalPostgres(socket=parse_qs(parts.query)["host"][0], user=parts.username or "postgres")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            present = {row[0] for row in connection.execute("select datname from pg_database")}
            for database in databases:
                if database not in present:
                    name = psycopg.sql.Identifier(database)
                    connection.execute(psycopg.sql.SQL("create database {}").format(name))
                    # What is lost in a power cut here is a demo.
                    connection.execute(psycopg.sql.SQL("alter database {} set synchronous_commit = off").format(name))
        yield local
    finally:
        server.cleanup()
