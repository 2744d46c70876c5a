from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from leaks import leaks_in_database

from vod_migrate import engine
from vod_migrate.connection import Connection, connection_from_environment
from vod_migrate.errors import VodMigrateError
from vod_migrate.results.database import embedded_url, upgrade_schema
from vod_migrate.results.rows import Run
from vod_migrate.results.store import Store
from vod_migrate.sandbox.testing import Sandbox, sandbox
from vod_migrate.spec import Migration, parse_migration, parse_options

__all__ = ["sandbox"]

BUCKET = "media-archive"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real Postgres for the session, in a folder that another session's pytest does not tidy away."""
    with tempfile.TemporaryDirectory(prefix="vod-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield embedded_url(Path(folder) / "postgres")


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """A database of the test's own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    url = postgres.replace("/postgres?", f"/{name}?", 1)
    upgrade_schema(url)
    yield url
    assert not leaks_in_database(url)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with Store.open(database_url, connections=12, patience=5) as opened:
        yield opened


@pytest.fixture
def connection(sandbox: Sandbox) -> Connection:
    return connection_from_environment(sandbox.environment)


class Rig:
    """The engine against a sandbox, as the command line drives it."""

    def __init__(self, store: Store, connection: Connection, sandbox: Sandbox) -> None:
        self.store, self.connection, self.sandbox = store, connection, sandbox

    def migration(self, name: str = "nightly", **content: Any) -> Migration:
        register = {"template_group_id": "VOD_NO_TRANSCODE", **content.pop("register", {})}
        register = {key: value for key, value in register.items() if value is not None}
        source = {"bucket": BUCKET, **content.pop("source", {})}
        return parse_migration({"name": name, "source": source, "register": register, **content}, origin="test")

    def prepare(self, migration: Migration | None = None, *, local_date: Any = None, **options: Any) -> Run:
        return engine.prepare(
            store=self.store,
            connection=self.connection,
            migration=migration or self.migration(),
            options=parse_options(options),
            origin=engine.Origin(),
            date=local_date,
        )

    def discover(self, run: Run, stop: threading.Event | None = None) -> None:
        engine.discover(store=self.store, connection=self.connection, run_id=run.run_id, stop=stop or threading.Event())

    def register(self, run: Run, stop: threading.Event | None = None, slot: str = "one") -> None:
        engine.register(
            store=self.store, connection=self.connection, run_id=run.run_id, slot=slot, stop=stop or threading.Event()
        )

    def run(self, migration: Migration | None = None, **options: Any) -> engine.Summary:
        """A whole run; what ended it early is in the summary's error."""
        run = self.prepare(migration, **options)
        for step in (self.discover, self.register):
            try:
                step(run)
            except VodMigrateError:
                continue
        return engine.finish(store=self.store, run_id=run.run_id)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.connection() as connection:
            return connection.execute(query.encode(), values).fetchall()

    def results(self, bucket: str = BUCKET) -> dict[str, tuple[str, str | None, str | None]]:
        """key: (state, media_id, code)."""
        rows = self.rows("select key, state, media_id, code from results where bucket = %s", bucket)
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def assert_results_equal_truth(self, bucket: str = BUCKET) -> None:
        """Every registered file of the sandbox is a registered result with its MediaId, and the other way round."""
        ours = {key: media for key, (state, media, _) in self.results(bucket).items() if state == "registered"}
        assert ours == {key: item.media_id for key, item in self.sandbox.truth(bucket).items()}

    def calls(self) -> int:
        return int(self.sandbox.counters().get("RegisterMedia", {}).get("requests", 0))


@pytest.fixture
def rig(store: Store, connection: Connection, sandbox: Sandbox) -> Rig:
    return Rig(store, connection, sandbox)
