from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from leaks import leaks_in_database
from rigging import Rig

from vod_migrate.cloud.connection import Connection, connection_from_environment
from vod_migrate.results.database import embedded_url, upgrade_schema
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox, sandbox

__all__ = ["sandbox"]


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


@pytest.fixture
def rig(store: Store, connection: Connection, sandbox: Sandbox) -> Rig:
    return Rig(store, connection, sandbox)
