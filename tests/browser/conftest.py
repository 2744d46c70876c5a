from __future__ import annotations

import pytest
from airflow_migrations import BROWSED, SLOW_OBJECTS
from airflow_stage import Stage
from payloads import HOSTILE

BUCKET_OBJECTS = 600


@pytest.fixture(scope="session")
def stage(airflow_stage: Stage) -> Stage:
    """Two migrations have run, and each left failures behind."""
    sandbox = airflow_stage.sandbox
    for name in BROWSED:
        sandbox.add_bucket(f"{name}-archive")
    sandbox.generate("interviews-archive", BUCKET_OBJECTS, dirt=0.5, missing=0.02, long_keys=0)
    sandbox.generate("slow-archive", SLOW_OBJECTS, dirt=0)
    for payload in HOSTILE:
        sandbox.put("hostile-archive", payload)
    sandbox.fault("fail_files", api="RegisterMedia", key="*fails*")
    airflow_stage.start("interviews", "night_1")
    airflow_stage.start("hostile", "night_1")
    assert airflow_stage.end("interviews", "night_1") == "success"
    airflow_stage.end("hostile", "night_1")
    return airflow_stage
