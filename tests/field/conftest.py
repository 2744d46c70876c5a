from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox


@pytest.fixture
def shell(tmp_path: Path, sandbox: Sandbox, database_url: str) -> Iterator[Shell]:
    made = Shell(tmp_path, {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": database_url})
    yield made
    made.stop()
