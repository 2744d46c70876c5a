"""What a task says, and whether Airflow tries it again, when something a person set up is wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from databases import Databases

from vod_migrate.airflow.dag import migration_dag, migration_group, trigger_form
from vod_migrate.airflow.dag_doc import migration_page
from vod_migrate.airflow.operators import PrepareOperator, reports_folder
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.results.store import Store
from vod_migrate.run.control import cancel, pause

CONTENT: dict[str, Any] = {
    "name": "nights",
    "connection": "vod_test",
    "source": {"bucket": "media-archive", "prefixes": ["in/{{ date }}/"]},
    "register": {"template_group_id": "VOD_NO_TRANSCODE"},
    "schedule": "30 0 * * *",
}
ACCOUNT = {"conn_type": "aliyun_vod", "login": "a", "password": "b", "extra": {"region": "cn-shanghai"}}
# 00:30 in Shanghai is the day before in UTC: what is registered must be the day in Shanghai.
START = dt.datetime(2026, 3, 4, 16, 30, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def urls(databases: Databases) -> dict[str, str]:
    """Databases by what they are."""
    found = {"empty": databases.create(migrated=False), "ready": databases.create(), "newer": databases.create()}
    with psycopg.connect(found["newer"]) as connection:
        connection.execute("update vod_migrate.version set version = 9999")
    return found


@pytest.fixture(autouse=True)
def ready(urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_VOD_MIGRATE_DB", raising=False)
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", urls["ready"])
    monkeypatch.setenv("AIRFLOW_CONN_VOD_TEST", json.dumps(ACCOUNT))


def migration(**change: Any) -> Migration:
    return parse_migration({**CONTENT, **change}, origin="a test")


def prepare_operator(**change: Any) -> PrepareOperator:
    task = migration_dag(migration(**change), "dags/migrations/nights.yaml").get_task("prepare")
    assert isinstance(task, PrepareOperator)
    return task


def context(run_id: str, *, start: dt.datetime | None = START, conf: dict[str, Any] | None = None) -> Any:
    end = start + dt.timedelta(days=1) if start else None
    run = SimpleNamespace(
        dag_id="vod_backfill__nights", run_id=run_id, conf=conf, data_interval_start=start, data_interval_end=end,
        triggering_user_name="ann" if conf else None, run_type="scheduled",
    )  # fmt: skip
    return {"dag_run": run, "params": {}}


def test_the_date_of_a_run_is_the_local_day_of_its_interval(urls: dict[str, str]) -> None:
    run_id = prepare_operator().execute(context("scheduled"))

    with Store.open(urls["ready"]) as store:
        assert store.run(run_id).local_date == dt.date(2026, 3, 5)


def test_a_retry_of_prepare_finds_the_same_run() -> None:
    assert prepare_operator().execute(context("again")) == prepare_operator().execute(context("again"))


def test_a_date_given_by_hand_wins(urls: dict[str, str]) -> None:
    run_id = prepare_operator().execute(context("by-hand", start=None, conf={"date": "2026-01-02"}))

    with Store.open(urls["ready"]) as store:
        assert store.run(run_id).local_date == dt.date(2026, 1, 2)


REFUSED: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
    ("no date for a dated prefix", {}, {"start": None}, "give the run a date"),
    ("an unknown option", {}, {"conf": {"modee": "all"}}, "did you mean 'mode'"),
    ("a time that is none", {}, {"conf": {"modified_since": "last week"}}, "modified_since"),
    ("no account", {"AIRFLOW_CONN_VOD_TEST": ""}, {}, "the Airflow connection 'vod_test' does not exist"),
    ("no results database named", {"VOD_MIGRATE_DATABASE_URL": ""}, {}, "no results database is configured"),
    ("a database of another kind", {"VOD_MIGRATE_DATABASE_URL": "mysql://u@h/d"}, {}, "must look like postgresql://"),
    (
        "a database address that cannot be read",
        {"VOD_MIGRATE_DATABASE_URL": "host=h password=x canary-secret"},
        {},
        "in single quotes",
    ),
    (
        "a password that is not encoded",
        {"VOD_MIGRATE_DATABASE_URL": "postgresql://u:canary-secret@x@h/d"},
        {},
        "percent-encode",
    ),
    ("a database without schema", {"VOD_MIGRATE_DATABASE_URL": "empty"}, {}, "vod-migrate db upgrade"),
    ("a database from the future", {"VOD_MIGRATE_DATABASE_URL": "newer"}, {}, "upgrade vod-migrate here"),
]


@pytest.mark.parametrize(
    ("variables", "given", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_a_person_must_change_is_said_once_and_not_tried_again(
    urls: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    given: dict[str, Any],
    said: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, urls.get(value, value))

    with pytest.raises(AirflowFailException) as refused:
        prepare_operator().execute(context("refused", **given))

    assert said in str(refused.value)
    assert refused.value.__suppress_context__
    assert "\n" not in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_database_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOD_MIGRATE_DATABASE_URL", "postgresql://nobody:hidden@127.0.0.1:1/vod_migrate")

    with pytest.raises(AirflowException, match="cannot be reached") as failed:
        prepare_operator().execute(context("away"))

    assert not isinstance(failed.value, AirflowFailException)
    assert "hidden" not in str(failed.value)
    assert prepare_operator().retries == 3


def test_two_groups_in_one_dag_are_two_runs_with_their_own_options(urls: dict[str, str]) -> None:
    with DAG("own", schedule=None, start_date=START) as dag:
        one = migration_group(migration(name="one"), options={"date": "2026-01-01"})
        two = migration_group(migration(name="two"), group_id="second", options={"date": "2026-01-02"})
        one >> two

    assert {"vod_one.prepare", "vod_one.register_1", "second.prepare", "second.report"} <= set(dag.task_ids)
    run_ids = [dag.get_task(task).execute(context("own")) for task in ("vod_one.prepare", "second.prepare")]
    with Store.open(urls["ready"]) as store:
        assert [store.run(run_id).local_date for run_id in run_ids] == [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]


def test_a_group_that_requires_approval_asks_inside_the_group_without_hours_for_ever() -> None:
    with DAG("asks", schedule=None, start_date=START) as dag:
        migration_group(migration(name="one", require_approval=True), options={"date": "2026-01-01"})

    approve = dag.get_task("vod_one.approve")
    assert approve.upstream_task_ids == {"vod_one.plan"}
    assert approve.downstream_task_ids == {"vod_one.discover", "vod_one.register_1"}
    assert (approve.response_timeout, approve.defaults) == (None, None)
    assert approve.prepare_task_id == "vod_one.prepare"


def test_reports_go_where_they_are_told_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VOD_MIGRATE_REPORTS", str(tmp_path / "named"))
    assert reports_folder() == tmp_path / "named"

    monkeypatch.delenv("VOD_MIGRATE_REPORTS")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert reports_folder() == tmp_path / "vod_reports"


def test_the_page_of_a_dag_says_what_its_file_says() -> None:
    page = migration_page(
        migration(describe={"title": "{{ stem }} | `x`"}, register={"workflow_id": "w1", "calls_per_second": 20}),
        "dags/migrations/nights.yaml",
    )

    for said in (
        "`in/{{ date }}/`",
        "workflow `w1`",
        "at most 20 calls",
        "`30 0 * * *` in Asia/Shanghai",
        "nights.yaml",
    ):
        assert said in page
    assert r"`{{ stem }} \| 'x'`" in page


class Xcom:
    """What a task pulls and pushes."""

    def __init__(self, run_id: str, *, try_number: int = 1) -> None:
        self.run_id = run_id
        self.try_number = try_number
        self.pushed: dict[str, Any] = {}

    def xcom_pull(self, **_: Any) -> str:
        return self.run_id

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.mark.parametrize(("word", "state", "green"), [(pause, "paused", True), (cancel, "cancelled", False)])
def test_working_tasks_of_a_run_that_a_person_ended_are_green_and_its_report_says_how_it_stands(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: Any, state: str, green: bool
) -> None:
    monkeypatch.setenv("VOD_MIGRATE_REPORTS", str(tmp_path))
    dag = migration_dag(migration(), "dags/migrations/nights.yaml")
    run_id = prepare_operator().execute(context(f"to be {state}"))
    with Store.open(urls["ready"]) as store:
        assert word(store, run_id, by="Maria").state == "running", "an Airflow run has gaps between its tasks"
    told = Xcom(run_id)
    for task in ("discover", "register_1"):
        dag.get_task(task).execute({"ti": told})
    with contextlib.nullcontext() if green else pytest.raises(AirflowFailException, match=f"{state} by Maria"):
        dag.get_task("report").execute({"ti": told})
    assert told.pushed["return_value"]["state"] == state
    assert f"{state} by Maria" in next(tmp_path.glob("*.html")).read_text(encoding="utf-8")


@pytest.mark.parametrize(("reports", "warns"), [("/proc/reports", True), ("/dev/full", True), ("none", False)])
def test_report_files_that_cannot_be_written_or_are_switched_off_fail_no_task(
    urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reports: str, warns: bool
) -> None:
    monkeypatch.setenv("VOD_MIGRATE_REPORTS", reports)
    monkeypatch.chdir(tmp_path)
    run_id = prepare_operator().execute(context(f"no files in {reports}"))
    with Store.open(urls["ready"]) as store:
        pause(store, run_id, by="Maria")
    told = Xcom(run_id)
    report = migration_dag(migration(), "dags/migrations/nights.yaml").get_task("report")
    report.execute({"ti": told})
    assert ("cannot write the report" in told.pushed["return_value"].get("warning", "")) == warns
    assert not list(tmp_path.iterdir())


def nobody_works_on(store: Store, run_id: str) -> None:
    """Everybody who worked on a run has been dead for long."""
    with store.connection() as connection:
        connection.execute(
            "update vod_migrate.workers set expires_at = now() - interval '1 hour' where run_no = %s",
            (store.run(run_id).run_no,),
        )


def test_a_run_is_resumed_by_its_id_in_the_trigger_form(urls: dict[str, str]) -> None:
    before = prepare_operator().execute(context("before", conf={"date": "2026-01-02"}))
    with Store.open(urls["ready"]) as store:
        pause(store, before, by="Maria")
        nobody_works_on(store, before)
        assert pause(store, before, by="Maria").state == "paused"
    form = {name: param.value for name, param in trigger_form().items()}
    resumed = prepare_operator().execute(context("resumed", start=None, conf={**form, "resume": before}))
    with Store.open(urls["ready"]) as store:
        run = store.run(resumed)
        assert (run.local_date, run.options.resume) == (dt.date(2026, 1, 2), before)
        assert [scan.prefix for scan in store.open_scans(run)] == ["in/2026-01-02/"]


@pytest.mark.parametrize("other", ["another DAG", "another migration"])
def test_a_run_of_another_dag_is_neither_resumed_nor_settled(urls: dict[str, str], other: str) -> None:
    theirs = context(f"theirs: {other}")
    theirs["dag_run"].dag_id = "somebody_elses"
    before = prepare_operator(name="nights" if other == "another DAG" else "days").execute(theirs)
    with Store.open(urls["ready"]) as store:
        nobody_works_on(store, before)
    with pytest.raises(AirflowFailException, match="the DAG vod_backfill__nights has no run"):
        prepare_operator().execute(context(f"resumed: {other}", start=None, conf={"resume": before}))
    with Store.open(urls["ready"]) as store:
        assert store.run(before).state == "running"


def test_tasks_that_work_for_days_survive_any_number_of_restarts() -> None:
    dag = migration_dag(migration(require_approval=True), "dags/migrations/nights.yaml")
    for name in ("plan", "discover", "register_1"):
        task = dag.get_task(name)
        assert (task.retries, task.max_retry_delay) == (10_000, dt.timedelta(minutes=5))
    assert dag.get_task("report").retries == 3


@pytest.mark.parametrize(("tries", "ends"), [(1, False), (19, False), (20, True), (500, True)])
def test_a_bug_is_not_tried_again_for_ever(monkeypatch: pytest.MonkeyPatch, tries: int, *, ends: bool) -> None:
    task: Any = migration_dag(migration(), "dags/migrations/nights.yaml").get_task("register_1")
    monkeypatch.setattr(type(task), "work", lambda *_: {}["missing"])
    with pytest.raises(AirflowFailException if ends else KeyError, match="missing"):
        task.execute({"ti": Xcom("any", try_number=tries)})
