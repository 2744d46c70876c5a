"""What happens in the cluster demo: a run over two workers, of which one is killed, one is stopped, and a third is added."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.airflow_api import AirflowApi, ApiFailed
from demo.cluster.deployment import NOTICED_SECONDS, Deployment, copy_project, deployed
from demo.comparison import Comparison, Expected, SandboxControl, compare
from demo.console import DemoConsole
from demo.workspace import fresh_folder
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration

RUN_ID = "cluster"
_WORKERS = 2
_REGISTER_TASKS = 3
_CALLS_PER_SECOND = 8
"""So slow at first that there is something left to do for a worker that is still to start."""
_BEFORE_THE_KILL = 300
"""Files."""
_STEP_SECONDS = 300.0
_RUN_SECONDS = 1_800.0
_SENT = """
    select coalesce(sum(files), 0) as files from vod_migrate.calls c join vod_migrate.workers w using (run_no, worker_no)
    where w.slot = %s and answer = 'ok'
"""
_RESULTS = """
    select key, case when registered then 'registered' else 'failed' end as state, media_id from vod_migrate.objects
    union all select key, 'pending', null from vod_migrate.work
"""


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try of a task. machine: where it ran; began: ISO time."""

    task: str
    number: int
    machine: str
    state: str
    began: str

    def __str__(self) -> str:
        return f"{self.task}, try {self.number}, on {self.machine}: {self.state}"


@dataclass(kw_only=True)
class Outcome:
    """What became of a run. state: the DAG run's; sent: files by register task; carried: files in all calls, for VOD."""

    state: str = ""
    killed: str = ""
    stopped: str = ""
    stopped_at: str = ""
    exit_code: int | None = None
    added: str = ""
    tries: list[Try] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    carried: int = 0
    expected: Expected
    agreement: Comparison = field(default_factory=lambda: Comparison(compared=0))
    page: str = ""
    page_shown: bool = False
    report: str = ""

    @property
    def right(self) -> bool:
        """Whether the run succeeded and its results are the truth."""
        return self.state == "success" and self.page_shown and not self.agreement.differences

    def machines(self) -> set[str]:
        """Where tasks ran."""
        return {one.machine for one in self.tries}


class Events:
    """One run and its accidents."""

    def __init__(self, deployment: Deployment, migration: Migration, console: DemoConsole) -> None:
        self._deployment = deployment
        self._migration = migration
        self._console = console
        self._api: AirflowApi = deployment.api()
        self._control = SandboxControl(deployment.sandbox_url)
        address = f"{migration.source.bucket}.oss-cn-shanghai.aliyuncs.com"
        self.outcome = Outcome(
            expected=self._control.expected(migration.source.bucket, migration.select.extensions, address)
        )

    def close(self) -> None:
        """Closes its connections."""
        self._api.close()
        self._control.close()

    def play(self) -> Outcome:
        """Triggers the run, lets everything happen to it, and compares its results with the truth."""
        self._begin()
        victim, survivor = self._wait("two workers register side by side", self._two_at_work)
        self._kill(victim)
        self._add()
        self._stop(survivor)
        self._end()
        return self.outcome

    def _begin(self) -> None:
        dag_id = self._migration.dag_id
        self._api.unpause(dag_id)
        self._api.trigger(dag_id, RUN_ID, {"calls_per_second": _CALLS_PER_SECOND})
        self._console.step(
            f"DAG {dag_id} is triggered over the REST API, at {_CALLS_PER_SECOND} calls/s; {_WORKERS} workers, one task slot each"
        )

    def _two_at_work(self) -> tuple[str, str] | None:
        """The machines of two register tasks, once both have sent and enough is registered: the younger task's first."""
        working = [one for one in self._running() if one.task.startswith("register_")]
        if self._control.files() < _BEFORE_THE_KILL or len({one.machine for one in working}) < _WORKERS:
            return None
        if not all(self._sent(one.task) for one in working):
            return None  # one of them may have begun a moment ago
        first, second = sorted(working, key=lambda one: one.began)[:2]
        return second.machine, first.machine

    def _kill(self, name: str) -> None:
        for one in self._running():
            self._console.step(f"  {one}")
        self._deployment.machines[name].child.kill()
        self.outcome.killed = name
        self._console.step(
            f"{name} is killed (SIGKILL to all its processes) after {self._control.files():,} files were sent"
        )
        for who, seconds in NOTICED_SECONDS.items():
            self._console.step(f"  {who} will notice in {seconds} s")

    def _add(self) -> None:
        added = self._deployment.add_worker(_WORKERS + 1)
        self.outcome.added = added.name
        self._console.step(f"{added.name} is added")
        task = self._wait(f"{added.name} gets a task", lambda: self._task_on(added.name))
        self._wait(f"{task} sends", lambda: self._sent(task) or None)
        self._console.step(f"{added.name} registers: task {task}")
        self._speed_up()

    def _speed_up(self) -> None:
        from vod_migrate.results.store import Store  # noqa: PLC0415 - database driver
        from vod_migrate.run.control import set_run_rate  # noqa: PLC0415 - database driver

        with Store.open(self._deployment.results_url) as store:
            set_run_rate(store, self._run_id, None, by="the cluster demo")
        self._console.step("The run's own rate is removed, so both workers go as fast as the account allows")

    def _stop(self, name: str) -> None:
        machine = self._deployment.machines[name]
        self._console.step(
            f"{name} is stopped as `docker compose stop` does it: SIGTERM, up to {machine.service.stop_grace_seconds:.0f} s"
        )
        self.outcome.stopped = name
        self.outcome.stopped_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        self.outcome.exit_code = machine.stop()
        how = "it finished its task first" if self.outcome.exit_code == 0 else "its task was cut off"
        self._console.step(f"{name} has ended with exit code {self.outcome.exit_code}: {how}")

    def _end(self) -> None:
        outcome, bucket = self.outcome, self._migration.source.bucket
        outcome.state = self._wait("the run ends", self._ended, seconds=_RUN_SECONDS)
        self._console.step(f"The DAG run ended: {outcome.state}")
        outcome.tries = list(self._tries())
        outcome.sent = {f"register_{n}": self._sent(f"register_{n}") for n in range(1, _REGISTER_TASKS + 1)}
        outcome.carried = self._control.files()
        outcome.agreement = compare(self._results(), self._control.truth(bucket), outcome.expected)
        # As on a machine that does not share the folder: the page is read from the database.
        self._deployment.machines["airflow-api-server"].unshare("/opt/airflow/reports")
        path = f"/vod-reports/dags/{self._migration.dag_id}/runs/{RUN_ID}"
        outcome.page = f"{self._api.base_url}/dags/{self._migration.dag_id}/runs/{RUN_ID}/plugin/vod-report"
        outcome.page_shown = "<h1>" in self._api.page(path)
        outcome.report = self._report()

    def _running(self) -> list[Try]:
        found = self._api.get(f"{self._path}/taskInstances")["task_instances"]
        return [_try(one) for one in found if one["state"] == "running" and one["hostname"]]

    def _task_on(self, machine: str) -> str | None:
        return next(
            (one.task for one in self._running() if one.machine == machine and one.task.startswith("register_")), None
        )

    def _tries(self) -> list[Try]:
        found = []
        for task in sorted(self._api.task_states(self._migration.dag_id, RUN_ID)):
            tries = self._api.get(f"{self._path}/taskInstances/{task}/tries")["task_instances"]
            found += [_try(one) for one in tries]
        return sorted(found, key=lambda one: one.began)

    def _ended(self) -> str | None:
        state = self._api.run_state(self._migration.dag_id, RUN_ID)
        return state if state in ("success", "failed") else None

    @property
    def _path(self) -> str:
        return f"/dags/{self._migration.dag_id}/dagRuns/{RUN_ID}"

    def _wait(self, what: str, look: Callable[[], Any], *, seconds: float = _STEP_SECONDS) -> Any:
        """Until `look` finds something."""
        until = time.monotonic() + seconds
        gone = tuple(name for name in (self.outcome.killed, self.outcome.stopped) if name)
        while (found := look()) is None:
            self._deployment.check(gone=gone)
            if what != "the run ends" and (state := self._ended()):
                raise ApiFailed(f"the run ended ({state}) before this: {what}. {self._tries()}")
            if time.monotonic() > until:
                states = self._api.task_states(self._migration.dag_id, RUN_ID)
                raise ApiFailed(f"this did not happen within {seconds:.0f} s: {what}. Tasks: {states}")
            time.sleep(0.5)
        return found

    @property
    def _run_id(self) -> str:
        (row,) = self._rows("select run_id from vod_migrate.runs")
        return str(row["run_id"])

    def _rows(self, query: str, *values: str) -> list[Mapping[str, Any]]:
        from vod_migrate.results.store import Store  # noqa: PLC0415 - database driver

        with Store.open(self._deployment.results_url) as store, store.connection() as connection:
            return list(connection.execute(query, values))

    def _sent(self, slot: str) -> int:
        return int(self._rows(_SENT, slot)[0]["files"])

    def _results(self) -> dict[str, tuple[str, str | None]]:
        return {row["key"]: (row["state"], row["media_id"]) for row in self._rows(_RESULTS)}

    def _report(self) -> str:
        from vod_migrate.report.loader import load_report  # noqa: PLC0415 - database driver
        from vod_migrate.report.text import render_text  # noqa: PLC0415 - database driver
        from vod_migrate.results.store import Store  # noqa: PLC0415 - database driver

        with Store.open(self._deployment.results_url) as store:
            return render_text(load_report(store, self._run_id))


def play(
    root: Path, target: Path, console: DemoConsole, *, objects: int, told: Callable[[Outcome, str], None]
) -> Outcome:
    """Starts everything in an empty folder, plays the events, and stops everything. root: of the repository.

    told: called with the outcome and how to sign in, before everything is stopped.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(fresh_folder(target))
        project = copy_project(root, folder / "project")
        migration = _migration_file(project / "dags" / "migrations" / "sandbox.yaml")
        console.step("The services of docker-compose.yml start as local processes, with its commands and environment")
        deployment = stack.enter_context(deployed(project, folder, workers=_WORKERS, objects=objects))
        console.step(f"Running: {', '.join(deployment.machines)}")
        console.step(f"Airflow: {deployment.site.url}")
        events = Events(deployment, migration, console)
        stack.callback(events.close)
        try:
            outcome = events.play()
        except ApiFailed:
            deployment.check(gone=(events.outcome.killed, events.outcome.stopped))
            raise
        values = deployment.values
        told(outcome, f"sign in as {values['ADMIN_USERNAME']} with the password {values['ADMIN_PASSWORD']}")
    return outcome


def _migration_file(path: Path) -> Migration:
    """Changes the shipped file: more register tasks than slots, and no run but the one that is triggered."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["register"]["workers"] = _REGISTER_TASKS
    del content["schedule"]
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_migration(path)


def _try(found: Mapping[str, Any]) -> Try:
    return Try(
        task=found["task_id"],
        number=int(found["try_number"]),
        machine=str(found["hostname"]),
        state=str(found["state"]),
        began=str(found["start_date"] or ""),
    )
