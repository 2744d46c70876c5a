"""The DAG that compares the books of a migration on its own schedule."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from databases import Databases

from vod_migrate.airflow.reconciliation import ReconcileOperator, reconcile_dag
from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


@pytest.fixture
def nightly(sandbox: Sandbox, databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Migration:
    given = sandbox.environment
    extra = {name: given[f"VOD_MIGRATE_{name.upper()}"] for name in ("region", "oss_endpoint", "vod_endpoint")}
    account = {"conn_type": "aliyun_vod", "login": given["ALIBABA_CLOUD_ACCESS_KEY_ID"],
               "password": given["ALIBABA_CLOUD_ACCESS_KEY_SECRET"], "extra": extra}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_VOD_TEST", json.dumps(account))
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", databases.create())
    monkeypatch.setenv("VOD_MIGRATE_REPORTS", str(tmp_path / "reports"))
    return migration()


def migration(**change: Any) -> Migration:
    content = {"name": "nightly", "connection": "vod_test", "source": {"bucket": BUCKET},
               "register": {"template_group_id": "VOD_NO_TRANSCODE"}, "reconcile": {"schedule": "0 5 * * 0"}}  # fmt: skip
    return parse_migration({**content, **change}, origin="a test")


def compare(of: Migration) -> dict[str, Any]:
    dag = reconcile_dag(of, "dags/migrations/nightly.yaml")
    assert dag is not None
    task = dag.get_task("reconcile")
    assert isinstance(task, ReconcileOperator)
    pushed: dict[str, Any] = {}
    task.execute({"ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))})  # type: ignore[typeddict-item]
    found: dict[str, Any] = pushed["return_value"]
    return found


def test_it_is_green_where_only_new_objects_wait_for_the_next_run(nightly: Migration, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    assert compare(nightly)["counts"] == {"new": 1}


def test_it_fails_and_writes_down_what_differs_and_changes_nothing(
    nightly: Migration, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.put(BUCKET, "by hand.mp4")
    sandbox.import_media(BUCKET)
    with pytest.raises(AirflowFailException, match="differ in 1 ways, not counting new objects"):
        compare(nightly)
    with (tmp_path / "reports" / "nightly.drift.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [(row["key"], row["kind"]) for row in csv.DictReader(file)] == [("by hand.mp4", "not_recorded")]
    with Store.open(os.environ["VOD_MIGRATE_DATABASE_URL"]) as store:
        assert store.latest_run(None, "nightly") is None


def test_a_file_without_it_has_no_such_dag_and_a_dated_source_cannot_have_one() -> None:
    assert reconcile_dag(migration(reconcile=None), "x") is None
    with pytest.raises(BadMigrationFile, match="the source has a date in it"):
        migration(source={"bucket": BUCKET, "prefixes": ["in/{{ date }}/"]})
    with pytest.raises(BadMigrationFile, match=r"reconcile\.schedule"):
        migration(reconcile={"schedule": "every sunday"})
