"""Whole runs in a real Airflow (scheduler, DAG processor, API server, LocalExecutor) against the sandbox, on Postgres.

One Airflow serves these tests and those of the pages in browser/; each has a migration and a bucket of its own.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
from typing import Any

import psycopg
import pytest
from airflow_stage import LOOK_SECONDS, RUN_SECONDS, Stage
from leaks import KNOWN, leaks_in_database, leaks_in_files
from psycopg import sql
from receiver import Received
from waiting import wait_for

from demo.airflow_api import ApiFailed
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

NIGHTS = [dt.date(2026, 3, day) for day in range(7, 10)]  # the clocks of Los Angeles change on the 8th
IN_FLIGHT = 32 * 10  # threads of a worker times files of a call
STRUCK = ("crashed", "failed", "cleared")
BACKFILLED = ("early_nights", "late_nights")


@pytest.fixture(scope="module")
def stage(airflow_stage: Stage) -> Stage:
    return airflow_stage


@pytest.fixture(scope="module")
def begun(stage: Stage) -> Stage:
    """Runs that go on side by side while tests wait for one of them: each takes ten seconds, for two of work."""
    strike(stage)
    stage.sandbox.add_bucket("handed")
    stage.sandbox.add_bucket("handed-tables")
    stage.sandbox.put("handed", "a + 采访.mp4")
    stage.airflow.api.unpause("after_interviews")
    stage.start("handed", "first", date="2026-11-28")
    stage.sandbox.add_bucket("hopeless")
    stage.sandbox.generate("hopeless", 400, missing=0.9, dirt=0)
    stage.start("hopeless", "run")
    stage.start("whole", "unknown", prefixs=["a/"])
    stage.sandbox.add_bucket("asked")
    stage.sandbox.put("asked", "a ``` <b>.mp4")
    stage.sandbox.put("asked", "b.mp4")
    stage.start("asked", "rejected")
    stage.sandbox.add_bucket("growing")
    stage.sandbox.put("growing", "a.mp4")
    stage.start("growing", "changed")
    for number in range(12):
        stage.sandbox.put("media-archive", f"interviews/{number}.mp4")
    stage.airflow.api.unpause("vod_example_group")
    stage.airflow.api.trigger("vod_example_group", "run")
    for name in BACKFILLED:
        backfill(stage, name)
    return stage


def strike(stage: Stage) -> None:
    """Three register tasks at work are killed, failed and cleared."""
    for name in STRUCK:
        stage.sandbox.add_bucket(name)
        stage.sandbox.generate(name, 3000, dirt=0)
        stage.start(name, "run")
    at_work = "all are at work"
    wait_for(lambda: all(len(stage.truth(name)) > 200 for name in STRUCK), at_work, glance=LOOK_SECONDS)
    os.kill(stage.process("crashed", "run", "register_1"), signal.SIGKILL)
    stage.set_state("failed", "run", "register_1", "failed")
    stage.clear("cleared", "run", ["register_1"])


def backfill(stage: Stage, name: str) -> None:
    """Whole local days: of the early nights by Airflow's own command, of the late ones by its API."""
    bucket = name.replace("_", "-")
    stage.sandbox.add_bucket(bucket)
    around = {"from": (NIGHTS[0] - dt.timedelta(days=2)).isoformat(), "days": len(NIGHTS) + 4}
    stage.sandbox.generate(bucket, 220, prefix="in/", dirt=0, dates=around)
    dag_id = f"vod_backfill__{name}"
    stage.airflow.api.unpause(dag_id)
    first, last = ("+08:00", "+08:00") if name == "early_nights" else ("-08:00", "-07:00")
    begin, end = f"{NIGHTS[0]}T00:00:00{first}", f"{NIGHTS[-1]}T23:59:59{last}"
    if name == "early_nights":
        window = ["--from-date", begin, "--to-date", end]
        stage.airflow.command("backfill", "create", "--dag-id", dag_id, *window, "--max-active-runs", str(len(NIGHTS)))
    else:
        content = {"dag_id": dag_id, "from_date": begin, "to_date": end, "max_active_runs": len(NIGHTS)}
        stage.airflow.api.post("/backfills", content)


def test_a_broken_file_shows_as_an_import_error_beside_the_other_dags(stage: Stage) -> None:
    api = stage.airflow.api
    stage.wait_for(lambda: api.get("/importErrors")["total_entries"] > 0, "the broken file is reported")

    [error] = api.get("/importErrors")["import_errors"]
    assert "broken.yaml" in error["stack_trace"]
    stage.wait_for(lambda: api.find("/dags/vod_backfill__whole") is not None, "the other DAGs are listed")


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

    # Mode failed: only what failed, and files that have come back are registered.
    *back, lost = sorted(missing)
    for key in back:
        stage.sandbox.put("whole", key)
    assert stage.run("whole", "rerun", mode="failed") == "success"
    assert stage.files_sent() - before <= 2 * len(missing)
    assert stage.summary("whole", "rerun")["counts"]["registered"] == len(back) > 1
    assert set(back) <= set(stage.registered("whole"))
    # A run that fails most of what it sends is no success.
    assert stage.run("whole", "rerun-of-the-lost", mode="failed") == "failed"
    assert stage.failed("whole") == {lost}
    assert stage.registered("whole") == stage.truth("whole")


def events(stage: Stage, name: str, dag_run_id: str) -> list[dict[str, Any]]:
    """What the runs of a DAG have sent to those who wait for their asset."""
    found = stage.airflow.api.get("/assets/events", source_dag_id=f"vod_backfill__{name}", source_run_id=dag_run_id)
    return [one["extra"] for one in found["asset_events"]]


def text_of(message: Received) -> str:
    return str(message.body["text"]["content"])


def messages(stage: Stage, name: str) -> list[Received]:
    """What a chat has been told about a migration."""
    return [one for one in stage.receiver.received if text_of(one).startswith(f"{name} ")]


def test_a_dry_run_plans_and_sends_nothing(stage: Stage) -> None:
    stage.sandbox.put("whole", "new 新/for the plan.mp4")
    sent, results = stage.files_sent(), stage.rows("select count(*) from vod_migrate.objects")

    assert stage.run("whole", "dry", dry_run=True) == "success"

    summary = stage.summary("whole", "dry")
    assert (summary["state"], summary["plan"]["new"], summary["plan"]["to_send"]) == ("planned", 1, 1)
    assert (stage.files_sent(), stage.rows("select count(*) from vod_migrate.objects")) == (sent, results)
    assert "1 object would be sent in 1 call" in stage.log("whole", "dry", "report")
    assert events(stage, "whole", "dry") == []
    written = stage.folder / "reports" / f"{summary['run_id']}.plan.json"
    assert json.loads(written.read_text())["digest"] == summary["plan"]["digest"]
    assert stage.run("whole", "as-planned", approve=summary["plan"]["digest"]) == "success"
    assert stage.files_sent() == sent + 1


def test_a_migration_that_requires_approval_waits_for_a_person_and_sends_what_was_planned(begun: Stage) -> None:
    question = begun.question("asked", "rejected")
    assert "| would be sent | 2 |" in question["body"]
    assert question["body"].count("````") == 2
    [told] = messages(begun, "asked")
    assert text_of(told).startswith("asked needs your approval\n2 objects would be sent in 1 call: ")
    assert text_of(told).splitlines()[2] == begun.tab("asked", "rejected")
    run_state = "select state from vod_migrate.runs join vod_migrate.migrations using (migration_id) where name = 'asked' and dag_run_id = %s"
    assert begun.rows(run_state, "rejected") == [("planned",)]
    begun.answer("asked", "rejected", "Reject")
    # What appears while a person thinks was not planned: it is only counted.
    begun.question("growing", "changed")
    begun.sandbox.put("growing", "b.mp4")
    begun.answer("growing", "changed", "Approve")

    assert begun.end("asked", "rejected") == "success"
    tasks = begun.tasks("asked", "rejected")
    assert (tasks["discover"], tasks["register_1"], tasks["report"]) == ("skipped", "skipped", "success")
    assert begun.truth("asked") == {}
    assert begun.summary("asked", "rejected")["plan"]["decision"]["by"]
    assert "rejected by" in begun.log("asked", "rejected", "report")
    assert events(begun, "asked", "rejected") == []
    # Planned again after a change of mind: the same run sends what it plans now.
    begun.clear("asked", "rejected", ["plan"], include_downstream=True)

    assert begun.end("growing", "changed") == "success"
    assert begun.summary("growing", "changed")["counts"]["approval"] == {"approved": 1, "new_since_plan": 1}
    assert set(begun.truth("growing")) == {"a.mp4"}
    # Nothing new to send, or only a plan wanted: nobody is asked.
    begun.sandbox.delete("growing", "a.mp4")
    begun.sandbox.delete("growing", "b.mp4")
    begun.start("growing", "dry", dry_run=True)
    begun.start("growing", "nothing")

    begun.question("asked", "rejected")
    begun.answer("asked", "rejected", "Approve")
    begun.wait_for(lambda: begun.tasks("asked", "rejected")["register_1"] != "none", "it works again")
    assert begun.end("asked", "rejected") == "success"
    assert set(begun.truth("asked")) == {"a ``` <b>.mp4", "b.mp4"}
    assert begun.summary("asked", "rejected")["state"] == "succeeded"
    assert (begun.end("growing", "dry"), begun.end("growing", "nothing")) == ("success", "success")
    assert begun.summary("growing", "nothing")["counts"]["gone"] == 1


def test_a_run_that_succeeds_exports_tells_and_starts_the_dag_that_waits_for_it(begun: Stage) -> None:
    assert begun.end("handed", "first") == "success"

    summary = begun.summary("handed", "first")
    location = f"oss://handed-tables/2026-11-28/{summary['run_id']}.results.parquet"
    assert (summary["export"]["location"], summary["export"]["rows"], summary.get("warning")) == (location, 1, None)
    [event] = events(begun, "handed", "first")
    assert event == {
        "run_id": summary["run_id"],
        "state": "succeeded",
        "counts": summary["counts"],
        "location": location,
    }
    [told] = messages(begun, "handed")
    assert (set(told.query), told.body["at"]) == ({"access_token", "timestamp", "sign"}, {"isAtAll": False})
    text = text_of(told)
    assert text.startswith("handed finished\n1 object registered in ")
    assert text.splitlines()[2:] == [
        begun.tab("handed", "first"),
        f"Exported to {location}",
        f"Run {summary['run_id']}",
    ]
    assert (begun.folder / "notified.txt").read_text() == f"handed finished: {begun.tab('handed', 'first')}\n"

    def started() -> list[dict[str, Any]]:
        return list(begun.airflow.api.get("/dags/after_interviews/dagRuns")["dag_runs"])

    begun.wait_for(lambda: [run["state"] for run in started()] == ["success"], "the DAG that waits has run")
    [after] = started()
    assert after["run_type"] == "asset_triggered"
    assert begun.airflow.api.xcom("after_interviews", after["dag_run_id"], "refresh_catalogue") == [event]


def test_a_run_beyond_its_failure_threshold_fails_visibly_with_its_report_written(begun: Stage) -> None:
    assert begun.end("hopeless", "run") == "failed"

    summary = begun.summary("hopeless", "run")
    assert summary["state"] == "stopped"
    assert begun.tasks("hopeless", "run")["report"] == "failed"
    assert "stop_after.failure_rate" in begun.log("hopeless", "run", "report")
    assert (begun.folder / "reports" / f"{summary['run_id']}.html").is_file()


def test_an_unknown_option_is_refused_by_name_and_nothing_else_runs(begun: Stage) -> None:
    assert begun.end("whole", "unknown") == "failed"

    assert begun.tasks("whole", "unknown") == {
        "prepare": "failed",
        "discover": "upstream_failed",
        "register_1": "upstream_failed",
        "report": "failed",
    }
    said = begun.log("whole", "unknown", "prepare")
    assert "prefixs: unknown setting; did you mean 'prefixes'?" in said
    assert "no run was prepared" in begun.log("whole", "unknown", "report")


def test_a_backfill_over_past_nights_registers_exactly_their_days_in_any_zone(begun: Stage) -> None:
    asked = tuple(f"in/{night}/" for night in NIGHTS)
    for name in BACKFILLED:
        begun.wait_for(lambda name=name: ended(begun, name), f"every night of {name} ended")
        bucket = name.replace("_", "-")
        wanted = {key for key in begun.sandbox.expected(bucket) if key.startswith(asked)}
        assert wanted
        assert set(begun.truth(bucket)) == wanted
        assert begun.registered(bucket) == begun.truth(bucket)
        dates = "select local_date from vod_migrate.runs join vod_migrate.migrations using (migration_id) where name = %s and dag_run_id like 'backfill%%' order by 1"
        assert [date for (date,) in begun.rows(dates, name)] == NIGHTS


def ended(stage: Stage, name: str) -> bool:
    """Whether all backfilled runs ended well. Fails at the first that did not."""
    path = f"/dags/vod_backfill__{name}/dagRuns"
    states = [run["state"] for run in stage.airflow.api.get(path, run_type="backfill", limit=50)["dag_runs"]]
    assert "failed" not in states
    return states == ["success"] * len(NIGHTS)


def test_a_register_task_killed_failed_or_cleared_at_work_leaves_nothing_held_and_nothing_lost(begun: Stage) -> None:
    # The failed one ends with an honest report, and goes on once it is cleared; the others go on by themselves.
    assert begun.end("failed", "run") == "failed"
    summary = begun.summary("failed", "run")
    assert summary["state"] == "interrupted"
    assert 0 < summary["counts"]["registered"] < 3000
    begun.clear("failed", "run", ["register_1"], include_downstream=True)
    begun.wait_for(lambda: begun.tasks("failed", "run")["register_1"] != "failed", "it works again")
    for name in STRUCK:
        assert begun.end(name, "run") == "success"
        assert begun.summary(name, "run")["state"] == "succeeded"
        assert len(begun.truth(name)) == 3000
        assert begun.registered(name) == begun.truth(name)
        begun.assert_nothing_is_held(name)
        repeated = sum(one.registrations - 1 for one in begun.sandbox.truth(name).values())
        assert repeated <= IN_FLIGHT


def test_the_example_group_runs_inside_a_dag_of_its_own(begun: Stage) -> None:
    api = begun.airflow.api
    assert api.wait("vod_example_group", "run", seconds=RUN_SECONDS) == "success"
    assert api.xcom("vod_example_group", "run", "announce") == "12 registered, 0 failed"
    assert api.xcom("vod_example_group", "run", "check_bucket")


def test_a_verification_and_a_sensor_wait_without_a_slot_and_fail_for_media_that_cannot_be_played(stage: Stage) -> None:
    for bucket in ("verified", "waited-for"):
        stage.sandbox.add_bucket(bucket)
        for key in ("a.mp4", "b.mp4"):
            stage.sandbox.put(bucket, key)
        stage.sandbox.put(bucket, "broken 损坏.mp4", b"not a film")
    stage.sandbox.import_media("waited-for", template_group_id=DEFAULT_GROUP)
    media = stage.truth("waited-for")
    api, both = stage.airflow.api, {"good": "deferred", "bad": "deferred"}
    stage.sandbox.settings(analysis_s=3600)
    try:
        stage.start("verified", "run")
        api.unpause("waiting_for_media")
        conf = {"good": [media["a.mp4"], media["b.mp4"]], "bad": media["broken 损坏.mp4"]}
        api.trigger("waiting_for_media", "run", conf)
        stage.wait_for(lambda: api.task_states("waiting_for_media", "run") == both, "both wait")
        stage.wait_for(lambda: stage.tasks("verified", "run")["verify"] == "deferred", "it waits")
        for task in both:
            stage.wait_until_let_go("waiting_for_media", "run", task)
        stage.wait_until_let_go("vod_backfill__verified", "run", "verify")
    finally:
        stage.sandbox.settings(analysis_s=0)

    assert api.wait("waiting_for_media", "run", seconds=RUN_SECONDS) == "failed"
    assert api.task_states("waiting_for_media", "run") == {"good": "success", "bad": "failed"}
    assert "InvalidParameter.ResourceContentBad" in api.log_text("waiting_for_media", "run", "bad")
    assert api.xcom("waiting_for_media", "run", "good")["counts"] == {"playable": 2}

    # The run itself has its verdict, and its report has both.
    assert stage.end("verified", "run") == "failed"
    tasks, summary = stage.tasks("verified", "run"), stage.summary("verified", "run")
    assert (tasks["report"], tasks["verify"], summary["state"]) == ("success", "failed", "succeeded")
    assert api.xcom("vod_backfill__verified", "run", "verify")["counts"] == {"playable": 2, "failed": 1}
    assert "1 of 3 media" in stage.log("verified", "run", "verify")
    written = (stage.folder / "reports" / f"{summary['run_id']}.html").read_text()
    assert "TranscodeFail: InvalidParameter.ResourceContentBad" in written
    assert "2 of 3 objects can be played" in stage.client("viewer").get(f"/runs/{summary['run_id']}").text


def test_a_bad_value_is_refused_by_the_form_itself(stage: Stage) -> None:
    with pytest.raises(ApiFailed, match="400"):
        stage.airflow.api.trigger("vod_backfill__whole", "bad", {"mode": "again"})


def test_airflows_own_database_and_logs_hold_no_secret_after_all_that(stage: Stage) -> None:
    url = stage.airflow_url
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
