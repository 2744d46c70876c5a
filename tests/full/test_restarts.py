"""A first night that takes days meets many restarts of the workers: none of them may cost a try that a run does not have."""

from __future__ import annotations

import os
import signal

import pytest
from airflow_stage import Stage, write_migration
from waiting import wait_for

NAME = "restarted"
DAG_FILE = '''"""The same migration, without the pause between two tries: this test has ten of them."""

import datetime as dt
from pathlib import Path

from vod_migrate.airflow.dag import migration_dag
from vod_migrate.migration.loader import load_migration

dag = migration_dag(load_migration(Path(__file__).parent / "restarts" / "restarted.yaml"), "restarted.yaml")
for task in dag.tasks:
    task.retry_delay = dt.timedelta(seconds=1)
    task.retry_exponential_backoff = 0
'''
SIGNALS = [signal.SIGTERM, signal.SIGKILL] * 5


@pytest.mark.timeout(600)
def test_a_run_survives_five_sigterms_and_five_sigkills_of_its_register_task(airflow_stage: Stage) -> None:
    stage = airflow_stage
    stage.sandbox.add_bucket(f"{NAME}-archive")
    stage.sandbox.generate(f"{NAME}-archive", 6000, dirt=0)
    folder = stage.folder / "dags"
    (folder / "restarts").mkdir()
    write_migration(folder / "restarts", NAME, {"register": {"calls_per_second": 5}})
    (folder / "restarts.py").write_text(DAG_FILE)

    stage.start(NAME, "run")
    killed: set[int] = set()
    for number in SIGNALS:
        before = len(stage.truth(f"{NAME}-archive"))

        def works(before: int = before) -> bool:
            return stage.tasks(NAME, "run")["register_1"] == "running" and len(stage.truth(f"{NAME}-archive")) > before

        wait_for(works, f"it works before signal {number.name}", seconds=120)
        pid = stage.process(NAME, "run", "register_1")
        os.kill(pid, number)
        killed.add(pid)
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), "the task has ended", seconds=60)  # type: ignore[misc]  # noqa: PTH110
    assert len(killed) == len(SIGNALS)
    with stage.store.connection() as connection:
        connection.execute("update vod_migrate.quotas set rate = 100 where scope <> ''")
    assert stage.end(NAME, "run") == "success"
    assert stage.summary(NAME, "run")["state"] == "succeeded"
    truth = stage.truth(f"{NAME}-archive")
    assert len(truth) == 6000
    assert stage.registered(f"{NAME}-archive") == truth
    stage.assert_nothing_is_held(f"{NAME}-archive")
