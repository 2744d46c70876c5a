"""The demo, step by step: sandbox, Postgres, Airflow; unpause, trigger, watch; report; compare with the truth."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from demo.airflow_api import ApiFailed
from demo.comparison import Comparison, Expected, SandboxControl, compare
from demo.console import DemoConsole
from demo.local_airflow import USER, LocalAirflow, airflow_environment, clean_environment, command_of, local_airflow
from demo.local_postgres import LocalPostgres, local_postgres
from demo.processes import Child, ChildFailed, log_tail, stop_all
from demo.workspace import copy_dags, fresh_folder
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration

RUN_ID = "demo"
_SANDBOX_SECONDS = 60.0
_RUN_SECONDS = 3600.0
_MISSING_SHARE = 0.005
_LATENCY_MILLISECONDS = 40


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """objects: in the bucket; folder: what is written; stay: leave Airflow up until Ctrl-C; dags: the DAG files."""

    objects: int
    folder: Path
    stay: bool
    dags: Path


def play(wanted: Scenario, console: DemoConsole) -> bool:
    """Runs everything, then stops everything. Returns whether the run and its results are correct."""
    console.print("A whole migration in a real Airflow, against a local OSS and VOD; no cloud account is used.\n")
    with ExitStack() as stack:
        folder = stack.enter_context(fresh_folder(wanted.folder))
        migration = load_migration(copy_dags(wanted.dags, folder / "dags"))
        sandbox, ready = stack.enter_context(_sandbox(folder, wanted.objects, migration))
        control = SandboxControl(ready["endpoint"])
        stack.callback(control.close)
        console.step(
            f"Sandbox: OSS and VOD at {ready['endpoint']}, {wanted.objects:,} objects in {migration.source.bucket}"
        )
        postgres = stack.enter_context(local_postgres(folder / "postgres", ("airflow", "vod_migrate")))
        _make_schema(postgres)
        console.step("Postgres: one database for Airflow, one for the results")
        environment = _environment(folder, wanted.dags, ready["environment"], postgres)
        console.step("Airflow starts (API server, scheduler, DAG processor); this takes about 20 s")
        airflow = stack.enter_context(local_airflow(folder, environment, triggerer=wanted.stay))
        console.step(f"Airflow: {airflow.api.base_url}")
        with _blaming(sandbox, *airflow.children):
            expected = control.expected(
                migration.source.bucket, migration.select.extensions, _storage_address(migration, ready["environment"])
            )
            airflow.api.unpause(migration.dag_id)
            airflow.api.trigger(migration.dag_id, RUN_ID, note="started by the demo over the REST API")
            console.step(f"DAG {migration.dag_id} is unpaused and triggered over the REST API")
            state = _watch(airflow, migration.dag_id, control, expected, console)
            agreed = _conclude(airflow, migration, control, expected, postgres, console, state)
            if wanted.stay:
                _stay(airflow, migration.dag_id, console)
        console.step("Stopping everything")
    return agreed


@contextmanager
def _blaming(*children: Child) -> Iterator[None]:
    """Where a process has ended and therefore does not answer, the end of its log explains it."""
    try:
        yield
    except (ApiFailed, httpx.HTTPError) as error:
        for child in children:
            child.check()
        raise ApiFailed(f"no answer: {error}") from error


@contextmanager
def _sandbox(folder: Path, objects: int, migration: Migration) -> Iterator[tuple[Child, dict[str, Any]]]:
    config, ready_file, log = folder / "sandbox.yaml", folder / "sandbox.json", folder / "sandbox.log"
    bucket = {"name": migration.source.bucket, "generate": {"count": objects, "missing": _MISSING_SHARE}}
    settings = {"latency_ms": _LATENCY_MILLISECONDS, "latency_shape": "lognormal"}
    config.write_text(yaml.safe_dump({"settings": settings, "buckets": [bucket]}))
    arguments = ["serve", "--config", str(config), "--ready-file", str(ready_file)]
    command = [command_of("python"), "-m", "vod_migrate.sandbox", *arguments]
    child = Child("the sandbox", command, environment=clean_environment(), log=log, folder=folder)
    try:
        until = time.monotonic() + _SANDBOX_SECONDS
        while not ready_file.exists():
            child.check()
            if time.monotonic() > until:
                raise ChildFailed(f"the sandbox does not respond after {_SANDBOX_SECONDS:.0f} s. {log_tail(log)}")
            time.sleep(0.1)
        yield child, json.loads(ready_file.read_text())
    finally:
        stop_all([child])


def _make_schema(postgres: LocalPostgres) -> None:
    from vod_migrate.results.database import upgrade_schema  # noqa: PLC0415 - database driver

    upgrade_schema(postgres.url("vod_migrate"))


def _environment(folder: Path, dags: Path, client: Mapping[str, str], postgres: LocalPostgres) -> dict[str, str]:
    plugins = dags.parent / "plugins"
    airflow = airflow_environment(
        folder,
        dags=folder / "dags",
        database=postgres.url("airflow", driver="+psycopg2"),
        plugins=plugins if plugins.is_dir() else None,
    )
    account = {
        "conn_type": "aliyun_vod",
        "login": client["ALIBABA_CLOUD_ACCESS_KEY_ID"],
        "password": client["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
        "extra": {
            "region": client["VOD_MIGRATE_REGION"],
            "oss_endpoint": client["VOD_MIGRATE_OSS_ENDPOINT"],
            "vod_endpoint": client["VOD_MIGRATE_VOD_ENDPOINT"],
            "account": "sandbox",
        },
    }
    results = {"conn_type": "postgres", "host": postgres.socket, "login": postgres.user, "schema": "vod_migrate"}
    return {
        **airflow,
        "AIRFLOW_CONN_VOD_SANDBOX": json.dumps(account),
        "AIRFLOW_CONN_VOD_MIGRATE_DB": json.dumps(results),
        "VOD_MIGRATE_REPORTS": str(folder / "reports"),
    }


def _storage_address(migration: Migration, client: Mapping[str, str]) -> str:
    return f"{migration.source.bucket}.oss-{client['VOD_MIGRATE_REGION']}.aliyuncs.com"


def _watch(
    airflow: LocalAirflow, dag_id: str, control: SandboxControl, expected: Expected, console: DemoConsole
) -> str:
    total = len(expected.registered) + len(expected.failed)
    until = time.monotonic() + _RUN_SECONDS
    with console.meter(total) as meter:
        while (state := airflow.api.run_state(dag_id, RUN_ID)) not in ("success", "failed"):
            airflow.check()
            tasks = airflow.api.task_states(dag_id, RUN_ID)
            at_work = ", ".join(sorted(name for name, state in tasks.items() if state == "running"))
            meter(min(total, control.files()), at_work or "waiting for a task slot")
            if time.monotonic() > until:
                raise ApiFailed(f"the run did not end within {_RUN_SECONDS:.0f} s: {tasks}")
            time.sleep(1)
    return state


def _conclude(
    airflow: LocalAirflow,
    migration: Migration,
    control: SandboxControl,
    expected: Expected,
    postgres: LocalPostgres,
    console: DemoConsole,
    state: str,
) -> bool:
    from vod_migrate.report.files import file_stem  # noqa: PLC0415 - database driver
    from vod_migrate.report.language import language_of_locale  # noqa: PLC0415 - with the others
    from vod_migrate.report.loader import load_report  # noqa: PLC0415 - database driver
    from vod_migrate.report.text import render_text  # noqa: PLC0415 - database driver
    from vod_migrate.results.store import Store  # noqa: PLC0415 - database driver

    console.step(f"The DAG run ended: {state}")
    summary = airflow.api.xcom(migration.dag_id, RUN_ID, "report")
    if not isinstance(summary, dict):
        raise ApiFailed(f"the report task left no summary. {_task_logs(airflow, migration.dag_id)}")
    with Store.open(postgres.url("vod_migrate")) as store:
        report = load_report(store, summary["run_id"])
        console.print(f"\n{render_text(report, language=language_of_locale(os.environ))}\n")
        with store.connection() as connection:
            rows = connection.execute(
                "select key, case when registered then 'registered' else 'failed' end as state, media_id from vod_migrate.objects "
                "union all select key, 'pending', null from vod_migrate.work"
            )
            results = {row["key"]: (row["state"], row["media_id"]) for row in rows}
    page = airflow.home / "reports" / f"{file_stem(summary['run_id'])}.html"
    console.step(f"Report: {page}")
    shown = _page_in_airflow(airflow, migration.dag_id)
    where = f"{airflow.api.base_url}{_report_path(migration.dag_id)}"
    console.step(f"The same in Airflow: {where}" if shown else f"The page in Airflow does NOT respond: {where}")
    agreement = compare(results, control.truth(migration.source.bucket), expected)
    _tell(agreement, expected, console)
    if state != "success":
        console.print(_task_logs(airflow, migration.dag_id))
    return state == "success" and page.is_file() and shown and not agreement.differences


def _page_in_airflow(airflow: LocalAirflow, dag_id: str) -> bool:
    """Whether the pages answer for this run, as they do for the user of the demo."""
    answer = airflow.api.page(f"/vod-reports/dags/{dag_id}/runs/{RUN_ID}")
    return "<h1>" in answer


def _report_path(dag_id: str) -> str:
    return f"/dags/{dag_id}/runs/{RUN_ID}/plugin/vod-report"


def _tell(agreement: Comparison, expected: Expected, console: DemoConsole) -> None:
    if agreement.differences:
        console.step("The results do NOT agree with what VOD registered:")
        for difference in agreement.differences:
            console.print(f"         {difference}")
        return
    console.step(
        f"Compared object by object with what VOD registered: {agreement.compared:,} of {expected.objects:,} objects are "
        f"media, {len(expected.registered):,} registered under the right MediaId, {len(expected.failed):,} failed as "
        "expected, no difference"
    )


def _task_logs(airflow: LocalAirflow, dag_id: str) -> str:
    states = airflow.api.task_states(dag_id, RUN_ID)
    broken = [name for name, state in states.items() if state in ("failed", "upstream_failed", "up_for_retry")]
    texts = [f"Log of {name}:\n{airflow.api.log_text(dag_id, RUN_ID, name)[-4000:]}" for name in broken]
    return "\n".join([f"Tasks: {states}", *texts])


def _stay(airflow: LocalAirflow, dag_id: str, console: DemoConsole) -> None:
    console.print(
        f"\nAirflow stays up at {airflow.api.base_url}\n"
        f"  sign in as {USER} with the password {USER}\n"
        f"  the report of the run: {airflow.api.base_url}{_report_path(dag_id)}\n"
        "  Ctrl-C stops everything\n"
    )
    try:
        while True:
            airflow.check()
            time.sleep(1)
    except KeyboardInterrupt:
        return
