from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nights import night
from rigging import BUCKET, Rig
from shell import Shell

from vod_migrate.cloud.connection import Connection, connection_from_environment
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox


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


@pytest.fixture
def shell(tmp_path: Path, sandbox: Sandbox, database_url: str) -> Iterator[Shell]:
    made = Shell(tmp_path, {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": database_url})
    yield made
    made.stop()


@pytest.fixture
def films(rig: Rig) -> Run:
    for number in range(12):
        rig.sandbox.put(BUCKET, f"films/{number:02}.mp4")
    rig.sandbox.put(BUCKET, "films/bad.mp4")
    rig.sandbox.fault("fail_files", key="films/bad.mp4")
    return night(rig, "films")


@pytest.fixture
def shows(rig: Rig) -> Run:
    for number in range(3):
        rig.sandbox.put(BUCKET, f"shows/{number:02}.mp4")
    return night(rig, "shows")
