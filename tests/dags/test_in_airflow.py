"""Whole runs in a real Airflow (scheduler, DAG processor, API server, LocalExecutor) against the sandbox, on Postgres.

One Airflow serves all of these tests; each has a migration and a bucket of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from leaks import KNOWN, leaks_in_database, leaks_in_files
from psycopg import sql

from demo.airflow_api import ApiFailed
from demo.local_airflow import LocalAirflow, airflow_environment, local_airflow
from demo.local_postgres import LocalPostgres, local_postgres
from vod_migrate.results.database import upgrade_schema
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox

NIGHTS = [dt.date(2026, 3, day) for day in range(5, 12)]  # the clocks of Los Angeles change on the 8th
IN_FLIGHT = 32 * 10  # threads of a worker times files of a call
RUN_SECONDS = 120.0
HERE = Path(__file__).resolve()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The running parts, and what the tests ask of them."""

    airflow: LocalAirflow
    sandbox: Sandbox
    postgres: LocalPostgres
    store: Store
    folder: Path

    def start(self, name: str, run_id: str, **conf: Any) -> None:
        dag_id = f"vod_backfill__{name}"
        self.airflow.api.unpause(dag_id)
        self.airflow.api.trigger(dag_id, run_id, conf)

    def end(self, name: str, run_id: str) -> str:
        return self.airflow.api.wait(f"vod_backfill__{name}", run_id, seconds=RUN_SECONDS)

    def run(self, name: str, run_id: str, **conf: Any) -> str:
        self.start(name, run_id, **conf)
        return self.end(name, run_id)

    def summary(self, name: str, run_id: str) -> dict[str, Any]:
        found = self.airflow.api.xcom(f"vod_backfill__{name}", run_id, "report")
        assert isinstance(found, dict)
        return found

    def tasks(self, name: str, run_id: str) -> dict[str, str]:
        return self.airflow.api.task_states(f"vod_backfill__{name}", run_id)

    def log(self, name: str, run_id: str, task: str) -> str:
        return self.airflow.api.log_text(f"vod_backfill__{name}", run_id, task)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.connection() as connection:
            return connection.execute(query.encode(), values).fetchall()

    def registered(self, bucket: str) -> dict[str, str]:
        rows = self.rows("select key, media_id from results where bucket = %s and state = 'registered'", bucket)
        return dict(rows)

    def failed(self, bucket: str) -> set[str]:
        return {key for (key,) in self.rows("select key from results where bucket = %s and state = 'failed'", bucket)}

    def truth(self, bucket: str) -> dict[str, str]:
        return {key: one.media_id for key, one in self.sandbox.truth(bucket).items()}

    def missing(self, bucket: str) -> set[str]:
        return {key for key, one in self.sandbox.expected(bucket).items() if one.missing}

    def files_sent(self) -> int:
        return int(self.sandbox.counters().get("RegisterMedia", {}).get("files", 0))

    def worker(self, name: str, run_id: str, task: str) -> int:
        """The process of a task at work."""
        path = f"/dags/vod_backfill__{name}/dagRuns/{run_id}/taskInstances/{task}"
        return int(self.airflow.api.get(path)["pid"])

    def set_state(self, name: str, run_id: str, task: str, state: str) -> None:
        path = f"/dags/vod_backfill__{name}/dagRuns/{run_id}/taskInstances/{task}"
        self.airflow.api.patch(path, {"new_state": state})

    def question(self, name: str, run_id: str) -> dict[str, Any]:
        """Waits until a person is asked; returns what they are shown."""
        until("a person is asked", lambda: self.tasks(name, run_id)["approve"] == "awaiting_input", seconds=RUN_SECONDS)
        return self.airflow.api.get(self._question(name, run_id))

    def answer(self, name: str, run_id: str, answer: str) -> None:
        # A person reads first. Answered before the scheduler has seen the asking process end, Airflow 3.3.2 believes that the
        # task died, and asks again (apache/airflow#67287).
        time.sleep(3)
        self.airflow.api.patch(self._question(name, run_id), {"chosen_options": [answer], "params_input": {}})

    def _question(self, name: str, run_id: str) -> str:
        return f"/dags/vod_backfill__{name}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"

    def clear(self, name: str, run_id: str, tasks: list[str], **more: Any) -> None:
        content = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, "task_ids": tasks, **more}
        self.airflow.api.post(f"/dags/vod_backfill__{name}/clearTaskInstances", content)

    def assert_nothing_is_held(self, bucket: str) -> None:
        held = "select count(*) from results where bucket = %s and (state = 'pending' or claim_token is not null)"
        assert self.rows(held, bucket) == [(0,)]


def until(what: str, reached: Callable[[], bool], *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def write_migration(
    folder: Path,
    name: str,
    *,
    prefix: str = "",
    schedule: str | None = None,
    timezone: str = "Asia/Shanghai",
    stop: dict[str, Any] | None = None,
    require_approval: bool = False,
    **register: Any,
) -> None:
    content = {
        "name": name,
        "connection": "vod_sandbox",
        "source": {"bucket": name.replace("_", "-"), "prefixes": [prefix]},
        "register": {"template_group_id": "VOD_NO_TRANSCODE", **register},
        "schedule": schedule,
        "timezone": timezone,
        "stop_after": stop or {},
        "require_approval": require_approval,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    dags = folder / "dags"
    shutil.copytree(HERE.parents[2] / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    migrations = dags / "migrations"
    write_migration(migrations, "whole")
    write_migration(migrations, "asked", require_approval=True)
    write_migration(migrations, "hopeless", stop={"min_outcomes": 50})
    write_migration(migrations, "crashed", calls_per_second=10)
    write_migration(migrations, "failed", calls_per_second=10)
    write_migration(migrations, "cleared", calls_per_second=10, workers=2)
    write_migration(migrations, "early_nights", prefix="in/{{ date }}/", schedule="30 0 * * *")
    write_migration(
        migrations, "late_nights", prefix="in/{{ date }}/", schedule="0 9 * * *", timezone="America/Los_Angeles"
    )
    (migrations / "broken.yaml").write_text("name: broken\nsource: {}\n")
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox.start(latency_ms=30))
        postgres = stack.enter_context(local_postgres(folder / "postgres", ("airflow", "vod_migrate")))
        upgrade_schema(postgres.url("vod_migrate"))
        environment = airflow_environment(
            folder, dags=dags, database=postgres.url("airflow", driver="+psycopg2"), parallelism=8
        )
        extra = {"region": sandbox.region, "oss_endpoint": sandbox.endpoint, "vod_endpoint": sandbox.endpoint}
        login = {"conn_type": "aliyun_vod", "login": sandbox.access_key_id, "password": sandbox.access_key_secret}
        socket = quote(postgres.socket, safe="")
        environment |= {
            "AIRFLOW_CONN_VOD_SANDBOX": json.dumps({**login, "extra": extra}),
            "AIRFLOW_CONN_VOD_MIGRATE_DB": f"postgresql://{postgres.user}@/vod_migrate?host={socket}",
            "VOD_MIGRATE_REPORTS": str(folder / "reports"),
        }
        airflow = stack.enter_context(local_airflow(folder, environment))
        store = stack.enter_context(Store.open(postgres.url("vod_migrate")))
        yield Stage(airflow=airflow, sandbox=sandbox, postgres=postgres, store=store, folder=folder)


def test_a_broken_file_shows_as_an_import_error_beside_the_other_dags(stage: Stage) -> None:
    api = stage.airflow.api
    until("the broken file is reported", lambda: api.get("/importErrors")["total_entries"] > 0)

    [error] = api.get("/importErrors")["import_errors"]
    assert "broken.yaml" in error["stack_trace"]
    until("the other DAGs are listed", lambda: api.find("/dags/vod_backfill__whole") is not None)


def test_a_whole_run_agrees_with_the_truth_and_the_next_ones_send_only_what_is_left(stage: Stage) -> None:
    stage.sandbox.add_bucket("whole")
    stage.sandbox.generate("whole", 600, missing=0.03, long_keys=0)

    assert stage.run("whole", "first") == "success"

    summary = stage.summary("whole", "first")
    missing = stage.missing("whole") & stage.failed("whole")
    assert summary["state"] == "succeeded"
    assert missing == stage.failed("whole") != set()
    assert stage.registered("whole") == stage.truth("whole") != {}
    assert summary["counts"]["registered"] == len(stage.truth("whole"))
    assert summary["counts"]["failed"] == len(missing)
    assert (stage.folder / "reports" / f"{summary['run_id']}.html").is_file()

    # Nothing new: no call.
    before = stage.files_sent()
    assert stage.run("whole", "unchanged") == "success"
    assert stage.files_sent() == before

    # Mode failed: only what failed, and a file that has come back is registered.
    back = min(missing)
    stage.sandbox.put("whole", back)
    assert stage.run("whole", "rerun", mode="failed") == "success"
    assert stage.files_sent() - before <= 2 * len(missing)
    assert stage.summary("whole", "rerun")["counts"]["registered"] == 1
    assert back in stage.registered("whole")
    assert stage.registered("whole") == stage.truth("whole")


def test_a_dry_run_plans_and_sends_nothing(stage: Stage) -> None:
    stage.sandbox.put("whole", "new 新/for the plan.mp4")
    sent, results = stage.files_sent(), stage.rows("select count(*) from results")

    assert stage.run("whole", "dry", dry_run=True) == "success"

    summary = stage.summary("whole", "dry")
    assert (summary["state"], summary["plan"]["new"], summary["plan"]["to_send"]) == ("planned", 1, 1)
    assert (stage.files_sent(), stage.rows("select count(*) from results")) == (sent, results)
    assert "1 object would be sent in 1 call" in stage.log("whole", "dry", "report")
    written = stage.folder / "reports" / f"{summary['run_id']}.plan.json"
    assert json.loads(written.read_text())["digest"] == summary["plan"]["digest"]
    assert stage.run("whole", "as-planned", approve=summary["plan"]["digest"]) == "success"
    assert stage.files_sent() == sent + 1


def test_a_migration_that_requires_approval_waits_for_a_person_and_sends_what_was_planned(stage: Stage) -> None:
    stage.sandbox.add_bucket("asked")
    stage.sandbox.put("asked", "a ``` <b>.mp4")
    stage.sandbox.put("asked", "b.mp4")

    stage.start("asked", "rejected")
    question = stage.question("asked", "rejected")
    assert "| would be sent | 2 |" in question["body"]
    assert question["body"].count("````") == 2
    run_state = "select state from runs where migration = 'asked' and dag_run_id = %s"
    assert stage.rows(run_state, "rejected") == [("planned",)]
    stage.answer("asked", "rejected", "Reject")
    assert stage.end("asked", "rejected") == "success"
    tasks = stage.tasks("asked", "rejected")
    assert (tasks["discover"], tasks["register_1"], tasks["report"]) == ("skipped", "skipped", "success")
    assert stage.truth("asked") == {}
    assert stage.summary("asked", "rejected")["plan"]["decision"]["by"]
    assert "rejected by" in stage.log("asked", "rejected", "report")

    # Asked again after a change of mind: the same run sends what it planned.
    stage.clear("asked", "rejected", ["approve"], include_downstream=True)
    stage.question("asked", "rejected")
    stage.answer("asked", "rejected", "Approve")
    until("it works again", lambda: stage.tasks("asked", "rejected")["register_1"] != "none")
    assert stage.end("asked", "rejected") == "success"
    assert set(stage.truth("asked")) == {"a ``` <b>.mp4", "b.mp4"}
    assert stage.summary("asked", "rejected")["state"] == "succeeded"

    # What appears while a person thinks was not planned: nothing is sent.
    stage.sandbox.put("asked", "c.mp4")
    stage.start("asked", "changed")
    stage.question("asked", "changed")
    stage.sandbox.put("asked", "d.mp4")
    stage.answer("asked", "changed", "Approve")
    assert stage.end("asked", "changed") == "failed"
    assert stage.summary("asked", "changed")["state"] == "stopped"
    assert "1 more objects than planned" in stage.log("asked", "changed", "report")
    assert len(stage.truth("asked")) == 2

    # Nothing new to send, or only a plan wanted: nobody is asked.
    stage.sandbox.delete("asked", "c.mp4")
    stage.sandbox.delete("asked", "d.mp4")
    assert stage.run("asked", "dry", dry_run=True) == "success"
    assert stage.run("asked", "nothing") == "success"
    assert stage.summary("asked", "nothing")["counts"]["gone"] == 2


def test_an_unknown_option_is_refused_by_name_and_nothing_else_runs(stage: Stage) -> None:
    assert stage.run("whole", "unknown", prefixs=["a/"]) == "failed"

    assert stage.tasks("whole", "unknown") == {
        "prepare": "failed",
        "discover": "upstream_failed",
        "register_1": "upstream_failed",
        "report": "failed",
    }
    said = stage.log("whole", "unknown", "prepare")
    assert "prefixs: unknown setting; did you mean 'prefixes'?" in said
    assert "no run was prepared" in stage.log("whole", "unknown", "report")


def test_a_bad_value_is_refused_by_the_form_itself(stage: Stage) -> None:
    with pytest.raises(ApiFailed, match="400"):
        stage.airflow.api.trigger("vod_backfill__whole", "bad", {"mode": "again"})


def test_a_run_beyond_its_failure_threshold_fails_visibly_with_its_report_written(stage: Stage) -> None:
    stage.sandbox.add_bucket("hopeless")
    stage.sandbox.generate("hopeless", 400, missing=0.9, dirt=0)

    assert stage.run("hopeless", "run") == "failed"

    summary = stage.summary("hopeless", "run")
    assert summary["state"] == "stopped"
    assert stage.tasks("hopeless", "run")["report"] == "failed"
    assert "stop_after.failure_rate" in stage.log("hopeless", "run", "report")
    assert (stage.folder / "reports" / f"{summary['run_id']}.html").is_file()


def test_a_register_task_killed_failed_or_cleared_at_work_leaves_nothing_held_and_nothing_lost(stage: Stage) -> None:
    names = ("crashed", "failed", "cleared")
    for name in names:
        stage.sandbox.add_bucket(name)
        stage.sandbox.generate(name, 3000, dirt=0)
        stage.start(name, "run")
    until("all are at work", lambda: all(len(stage.truth(name)) > 200 for name in names))

    os.kill(stage.worker("crashed", "run", "register_1"), signal.SIGKILL)
    stage.set_state("failed", "run", "register_1", "failed")
    stage.clear("cleared", "run", ["register_1"])

    # The failed one ends with an honest report, and goes on once it is cleared; the others go on by themselves.
    assert stage.end("failed", "run") == "failed"
    summary = stage.summary("failed", "run")
    assert summary["state"] == "interrupted"
    assert 0 < summary["counts"]["registered"] < 3000
    stage.clear("failed", "run", ["register_1"], include_downstream=True)
    until("it works again", lambda: stage.tasks("failed", "run")["register_1"] != "failed")
    for name in names:
        assert stage.end(name, "run") == "success"
        assert stage.summary(name, "run")["state"] == "succeeded"
        assert len(stage.truth(name)) == 3000
        assert stage.registered(name) == stage.truth(name)
        stage.assert_nothing_is_held(name)
        repeated = sum(one.registrations - 1 for one in stage.sandbox.truth(name).values())
        assert repeated <= IN_FLIGHT


def test_a_backfill_over_past_nights_registers_exactly_their_days_in_any_zone(stage: Stage) -> None:
    names = ("early_nights", "late_nights")
    asked = tuple(f"in/{night}/" for night in NIGHTS)
    for name in names:
        bucket = name.replace("_", "-")
        stage.sandbox.add_bucket(bucket)
        around = {"from": (NIGHTS[0] - dt.timedelta(days=2)).isoformat(), "days": len(NIGHTS) + 4}
        stage.sandbox.generate(bucket, 220, prefix="in/", dirt=0, dates=around)
        stage.airflow.api.unpause(f"vod_backfill__{name}")
        backfill(stage, name)

    for name in names:
        until(f"every night of {name} ended", lambda name=name: ended(stage, name), seconds=RUN_SECONDS)
        bucket = name.replace("_", "-")
        wanted = {key for key in stage.sandbox.expected(bucket) if key.startswith(asked)}
        assert wanted
        assert set(stage.truth(bucket)) == wanted
        assert stage.registered(bucket) == stage.truth(bucket)
        dates = "select local_date from runs where migration = %s and dag_run_id like 'backfill%%' order by 1"
        assert [date for (date,) in stage.rows(dates, name)] == NIGHTS


def backfill(stage: Stage, name: str) -> None:
    """Airflow's own command, over whole local days."""
    first, last = ("+08:00", "+08:00") if name == "early_nights" else ("-08:00", "-07:00")
    window = ["--from-date", f"{NIGHTS[0]}T00:00:00{first}", "--to-date", f"{NIGHTS[-1]}T23:59:59{last}"]
    stage.airflow.command(
        "backfill", "create", "--dag-id", f"vod_backfill__{name}", *window, "--max-active-runs", str(len(NIGHTS))
    )


def ended(stage: Stage, name: str) -> bool:
    """Whether all backfilled runs ended well. Fails at the first that did not."""
    path = f"/dags/vod_backfill__{name}/dagRuns"
    states = [run["state"] for run in stage.airflow.api.get(path, run_type="backfill", limit=50)["dag_runs"]]
    assert "failed" not in states
    return states == ["success"] * len(NIGHTS)


def test_the_example_group_runs_inside_a_dag_of_its_own(stage: Stage) -> None:
    for number in range(12):
        stage.sandbox.put("media-archive", f"interviews/{number}.mp4")
    stage.airflow.api.unpause("vod_example_group")
    stage.airflow.api.trigger("vod_example_group", "run")

    assert stage.airflow.api.wait("vod_example_group", "run", seconds=RUN_SECONDS) == "success"
    assert stage.airflow.api.xcom("vod_example_group", "run", "announce") == "12 registered, 0 failed"
    assert stage.airflow.api.xcom("vod_example_group", "run", "check_bucket")


def test_airflows_own_database_and_logs_hold_no_secret_after_all_that(stage: Stage) -> None:
    url = stage.postgres.url("airflow")
    with psycopg.connect(url) as connection:
        for table in ("xcom", "task_instance", "rendered_task_instance_fields", "log", "serialized_dag", "hitl_detail"):
            count = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
            assert count is not None
            assert count[0] > 0, f"nothing to look at in {table}"
    assert stage.sandbox.access_key_secret.startswith(KNOWN)
    assert leaks_in_database(url) == []
    logs = stage.folder / "logs"
    assert list(logs.rglob("*.log"))
    assert list(leaks_in_files(logs)) == []
