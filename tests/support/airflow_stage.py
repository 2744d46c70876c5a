"""A real Airflow with the pages in it, on the sandbox: for the tests in dags/ and browser/, and for the pictures of the docs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from databases import Databases
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import tuple_row
from receiver import HttpReceiver, http_receiver
from waiting import wait_for

from demo.local_airflow import LocalAirflow, airflow_environment, local_airflow
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox

REPOSITORY = Path(__file__).resolve().parents[2]
USERS = {"admin": "admin", "editor": "user", "viewer": "viewer", "outsider": "user"}
RUN_SECONDS = 240.0
LOOK_SECONDS = 0.5
"""Between two looks at Airflow, whose every answer costs its API server 30 ms of processor time."""
WAITING = """
from airflow.sdk import DAG, Param

from vod_migrate import VodMediaReadySensor

with DAG("waiting_for_media", schedule=None, params={"good": Param([]), "bad": Param("")}, render_template_as_native_obj=True):
    common = {"conn_id": "vod_sandbox", "poke_interval": 1}
    VodMediaReadySensor(task_id="good", media_ids="{{ params.good }}", **common)
    VodMediaReadySensor(task_id="bad", media_ids=["{{ params.bad }}"], **common)
"""
"""A DAG of one's own."""
OBJECTS = "from vod_migrate.objects join vod_migrate.sources using (source_id)"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The running parts, and what tests ask of them. results_url: of the results database; passwords: by user."""

    airflow: LocalAirflow
    sandbox: Sandbox
    receiver: HttpReceiver
    databases: Databases
    airflow_url: str
    results_url: str
    store: Store
    folder: Path
    passwords: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    # Runs

    def start(self, name: str, dag_run_id: str, **conf: Any) -> None:
        self.airflow.api.unpause(f"vod_backfill__{name}")
        self.airflow.api.trigger(f"vod_backfill__{name}", dag_run_id, conf)

    def end(self, name: str, dag_run_id: str) -> str:
        return self.airflow.api.wait(f"vod_backfill__{name}", dag_run_id, seconds=RUN_SECONDS)

    def run(self, name: str, dag_run_id: str, **conf: Any) -> str:
        self.start(name, dag_run_id, **conf)
        return self.end(name, dag_run_id)

    def wait_for(self, reached: Callable[[], Any], what: str) -> None:
        """Waits for something that Airflow is asked."""
        wait_for(reached, what, seconds=RUN_SECONDS, glance=LOOK_SECONDS)

    def summary(self, name: str, dag_run_id: str) -> dict[str, Any]:
        found = self.airflow.api.xcom(f"vod_backfill__{name}", dag_run_id, "report")
        assert isinstance(found, dict)
        return found

    def run_id(self, name: str, dag_run_id: str) -> str:
        """Our run's id."""
        query = "select run_id from vod_migrate.runs where dag_id = %s and dag_run_id = %s order by execution desc"
        return str(self.rows(query, f"vod_backfill__{name}", dag_run_id)[0][0])

    # Tasks

    def tasks(self, name: str, dag_run_id: str) -> dict[str, str]:
        return self.airflow.api.task_states(f"vod_backfill__{name}", dag_run_id)

    def log(self, name: str, dag_run_id: str, task: str) -> str:
        return self.airflow.api.log_text(f"vod_backfill__{name}", dag_run_id, task)

    def process(self, name: str, dag_run_id: str, task: str) -> int:
        """The process of a task at work."""
        return int(self.airflow.api.get(self._task(name, dag_run_id, task))["pid"])

    def set_state(self, name: str, dag_run_id: str, task: str, state: str) -> None:
        self.airflow.api.patch(self._task(name, dag_run_id, task), {"new_state": state})

    def clear(self, name: str, dag_run_id: str, tasks: list[str], **more: Any) -> None:
        content = {"dry_run": False, "only_failed": False, "dag_run_id": dag_run_id, "task_ids": tasks, **more}
        self.airflow.api.post(f"/dags/vod_backfill__{name}/clearTaskInstances", content)

    def question(self, name: str, dag_run_id: str) -> dict[str, Any]:
        """Waits until a person is asked; returns what they are shown."""
        # Airflow 3.2 calls it deferred.
        waiting = ("awaiting_input", "deferred")
        self.wait_for(lambda: self.tasks(name, dag_run_id)["approve"] in waiting, "a person is asked")
        return self.airflow.api.get(self._question(name, dag_run_id))

    def answer(self, name: str, dag_run_id: str, answer: str) -> None:
        self.wait_until_let_go(f"vod_backfill__{name}", dag_run_id, "approve")
        self.airflow.api.patch(self._question(name, dag_run_id), {"chosen_options": [answer], "params_input": {}})

    def wait_until_let_go(self, dag_id: str, dag_run_id: str, task: str) -> None:
        """Waits until the scheduler has seen the process of a task end that now waits without one.

        If it went on before that, Airflow 3.3.2 would believe that the task died (apache/airflow#67287).
        """
        tries = self.airflow.api.get(f"/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task}")["try_number"]
        key = f"(dag_id='{dag_id}', task_id='{task}', run_id='{dag_run_id}', try_number={tries}, map_index=-1)"
        seen = f"Received executor event with state success for task instance TaskInstanceKey{key}"
        log = self.airflow.home / "components" / "scheduler.log"
        wait_for(
            lambda: seen in log.read_text(errors="replace"), f"the scheduler sees {task} wait", glance=LOOK_SECONDS
        )

    def _task(self, name: str, dag_run_id: str, task: str) -> str:
        return f"/dags/vod_backfill__{name}/dagRuns/{dag_run_id}/taskInstances/{task}"

    def _question(self, name: str, dag_run_id: str) -> str:
        return f"{self._task(name, dag_run_id, 'approve')}/-1/hitlDetails"

    # What was registered

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        # With the store's patience: the database may have just been away.
        return self.store._do(
            lambda connection: connection.cursor(row_factory=tuple_row).execute(query.encode(), values).fetchall()
        )

    def registered(self, bucket: str) -> dict[str, str]:
        rows = self.rows(f"select key, media_id {OBJECTS} where bucket = %s and registered and not gone", bucket)
        return dict(rows)

    def failed(self, bucket: str) -> set[str]:
        return {key for (key,) in self.rows(f"select key {OBJECTS} where bucket = %s and not registered", bucket)}

    def key(self, bucket: str) -> str:
        """One of the objects of a bucket, always the same."""
        return str(self.rows(f"select min(key) {OBJECTS} where bucket = %s", bucket)[0][0])

    def truth(self, bucket: str) -> dict[str, str]:
        return {key: one.media_id for key, one in self.sandbox.truth(bucket).items()}

    def missing(self, bucket: str) -> set[str]:
        return {key for key, one in self.sandbox.expected(bucket).items() if one.missing}

    def files_sent(self) -> int:
        return int(self.sandbox.counters().get("RegisterMedia", {}).get("files", 0))

    def assert_nothing_is_held(self, bucket: str) -> None:
        left = (
            "select count(*) from vod_migrate.work join vod_migrate.queues using (queue_no, source_id) "
            "join vod_migrate.sources using (source_id) where bucket = %s and gate = 'open'"
        )
        assert self.rows(left, bucket) == [(0,)]

    # The pages

    @property
    def url(self) -> str:
        return self.airflow.api.base_url

    def tab(self, name: str, dag_run_id: str) -> str:
        """The address of the report's tab on a DAG run."""
        return f"{self.url}/dags/vod_backfill__{name}/runs/{quote(dag_run_id, safe='')}/plugin/vod-report"

    def token(self, user: str) -> str:
        if user not in self._tokens:
            login = {"username": user, "password": self.passwords[user]}
            answer = httpx.post(f"{self.url}/auth/token", json=login, trust_env=False, timeout=60)
            answer.raise_for_status()
            self._tokens[user] = answer.json()["access_token"]
        return self._tokens[user]

    def client(self, user: str | None) -> httpx.Client:
        """Talks to the pages as a user's browser does; None: as nobody."""
        cookies = {} if user is None else {"_token": self.token(user)}
        return httpx.Client(base_url=f"{self.url}/vod-reports", cookies=cookies, trust_env=False, timeout=60)


def write_migration(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    register = {"template_group_id": "VOD_NO_TRANSCODE", **content.get("register", {})}
    source = {"bucket": f"{name}-archive", **content.get("source", {})}
    whole = {"name": name, "connection": "vod_sandbox", **content, "source": source, "register": register}
    (folder / f"{name}.yaml").write_text(json.dumps(whole))


def _downstream_of(name: str) -> str:
    """The DAG on the page about downstream DAGs, for another migration."""
    page = (REPOSITORY / "docs" / "how-to" / "downstream.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    return code.replace("vod://vod_default/interviews", f"vod://vod_sandbox/{name}")


@contextmanager
def staged(folder: Path, databases: Databases, migrations: Mapping[str, Mapping[str, Any] | str]) -> Iterator[Stage]:
    """migrations: the content of each migration file beside its name, bucket and template group; or its whole text."""
    dags = folder / "dags"
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    (dags / "waiting_for_media.py").write_text(WAITING)
    for name, content in migrations.items():
        if isinstance(content, str):
            (dags / "migrations" / f"{name}.yaml").write_text(content)
        else:
            write_migration(dags / "migrations", name, content)
    if "handed" in migrations:
        (dags / "after_interviews.py").write_text(_downstream_of("handed"))
    with ExitStack() as stack:
        receiver = stack.enter_context(http_receiver())
        sandbox = stack.enter_context(Sandbox.start(latency_ms=30))
        airflow_url, results_url = databases.create(migrated=False), databases.create()
        environment = airflow_environment(
            folder,
            dags=dags,
            database=airflow_url.replace("postgresql:", "postgresql+psycopg2:", 1),
            plugins=REPOSITORY / "plugins",
            parallelism=16,
        )
        extra = {"region": sandbox.region, "oss_endpoint": sandbox.endpoint, "vod_endpoint": sandbox.endpoint}
        login = {"conn_type": "aliyun_vod", "login": sandbox.access_key_id, "password": sandbox.access_key_secret}
        place = conninfo_to_dict(results_url)
        results = {"conn_type": "postgres", "host": place["host"], "login": place["user"], "schema": place["dbname"]}
        environment |= {
            "AIRFLOW_CONN_VOD_SANDBOX": json.dumps({**login, "extra": extra}),
            "AIRFLOW_CONN_VOD_MIGRATE_DB": json.dumps(results),
            "AIRFLOW_CONN_OPS_CHAT": json.dumps(
                {"conn_type": "http", "password": f"{receiver.url}/robot?access_token=x", "extra": {"secret": "SEC"}}
            ),
            "AIRFLOW__CORE__AUTH_MANAGER": "limited_auth.LimitedAuthManager",
            # No file changes, and parsing them every few seconds would take a tenth of a processor.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "PYTHONPATH": f"{Path(__file__).parent}:{REPOSITORY}",
            "VOD_MIGRATE_REPORTS": str(folder / "reports"),
        }
        airflow = stack.enter_context(local_airflow(folder, environment, triggerer=True))
        store = stack.enter_context(Store.open(results_url))
        yield Stage(
            airflow=airflow,
            sandbox=sandbox,
            receiver=receiver,
            databases=databases,
            airflow_url=airflow_url,
            results_url=results_url,
            store=store,
            folder=folder,
            passwords=json.loads((folder / "passwords.json").read_text()),
        )
