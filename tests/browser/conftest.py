from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from looking import driver
from payloads import HOSTILE
from staging import SLOW_OBJECTS, Stage, staged

BUCKET_OBJECTS = 600

MIGRATIONS: dict[str, dict[str, Any]] = {
    "interviews": {},
    "hostile": {},
    "slow": {"register": {"calls_per_second": 5}},
}


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One Airflow for all; two migrations have run, and each left failures behind."""
    with staged(tmp_path_factory.mktemp("stage"), MIGRATIONS) as running:
        sandbox = running.sandbox
        for name in MIGRATIONS:
            sandbox.add_bucket(f"{name}-archive")
        sandbox.generate("interviews-archive", BUCKET_OBJECTS, dirt=0.5, missing=0.02, long_keys=0)
        sandbox.generate("slow-archive", SLOW_OBJECTS, dirt=0)
        for payload in HOSTILE:
            sandbox.put("hostile-archive", payload)
        sandbox.fault("fail_files", api="RegisterMedia", key="*fails*")
        running.start("interviews", "night_1")
        running.start("hostile", "night_1")
        assert running.end("interviews", "night_1") == "success"
        running.end("hostile", "night_1")
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with driver() as started:
        yield started
