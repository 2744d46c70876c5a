"""A real Airflow with the pages in it, on the sandbox, for browser tests and for the pictures of the docs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg

from demo.local_airflow import LocalAirflow, airflow_environment, local_airflow
from demo.local_postgres import LocalPostgres, local_postgres
from vod_migrate.results.database import upgrade_schema
from vod_migrate.results.store import Store
from vod_migrate.sandbox.pytest_plugin import Sandbox

REPOSITORY = Path(__file__).resolve().parents[2]
USERS = {"admin": "admin", "editor": "user", "viewer": "viewer", "outsider": "user"}
RUN_SECONDS = 240.0
SLOW_OBJECTS = 3_000
"""Enough to watch a run at work, at its five calls a second."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The running parts. passwords: by user."""

    airflow: LocalAirflow
    sandbox: Sandbox
    postgres: LocalPostgres
    store: Store
    folder: Path
    passwords: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.airflow.api.base_url

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

    def tab(self, name: str, dag_run_id: str) -> str:
        """The address of the report's tab on a DAG run."""
        return f"{self.url}/dags/vod_backfill__{name}/runs/{quote(dag_run_id, safe='')}/plugin/vod-report"

    def start(self, name: str, dag_run_id: str, **conf: Any) -> None:
        self.airflow.api.unpause(f"vod_backfill__{name}")
        self.airflow.api.trigger(f"vod_backfill__{name}", dag_run_id, conf)

    def end(self, name: str, dag_run_id: str) -> str:
        return self.airflow.api.wait(f"vod_backfill__{name}", dag_run_id, seconds=RUN_SECONDS)

    def run_id(self, name: str, dag_run_id: str) -> str:
        """Our run's id."""
        query = "select run_id from runs where dag_id = %s and dag_run_id = %s order by execution desc"
        return str(self.rows(query, f"vod_backfill__{name}", dag_run_id)[0][0])

    def result_id(self, bucket: str) -> int:
        """One of the results of a bucket, always the same."""
        return int(self.rows("select min(result_id) from results where bucket = %s", bucket)[0][0])

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.connection() as connection:
            return connection.execute(query.encode(), values).fetchall()


@contextmanager
def results_away(stage: Stage) -> Iterator[None]:
    """Nobody gets into the results database."""
    with psycopg.connect(stage.postgres.url("airflow"), autocommit=True) as connection:
        connection.execute("alter database vod_migrate allow_connections false")
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'vod_migrate'")
        try:
            yield
        finally:
            connection.execute("alter database vod_migrate allow_connections true")


def until(what: str, reached: Callable[[], Any], *, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def write_migration(folder: Path, name: str, **content: Any) -> None:
    register = {"template_group_id": "VOD_NO_TRANSCODE", **content.pop("register", {})}
    source = {"bucket": f"{name}-archive", **content.pop("source", {})}
    whole = {"name": name, "connection": "vod_sandbox", "source": source, "register": register, **content}
    (folder / f"{name}.yaml").write_text(json.dumps(whole))


@contextmanager
def staged(folder: Path, migrations: dict[str, dict[str, Any]]) -> Iterator[Stage]:
    """migrations: the content of each migration file beside its name, bucket and template group."""
    dags = folder / "dags"
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    for name, content in migrations.items():
        write_migration(dags / "migrations", name, **content)
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox.start(latency_ms=30))
        postgres = stack.enter_context(local_postgres(folder / "postgres", ("airflow", "vod_migrate")))
        upgrade_schema(postgres.url("vod_migrate"))
        environment = airflow_environment(
            folder,
            dags=dags,
            database=postgres.url("airflow", driver="+psycopg2"),
            plugins=REPOSITORY / "plugins",
            parallelism=6,
        )
        extra = {"region": sandbox.region, "oss_endpoint": sandbox.endpoint, "vod_endpoint": sandbox.endpoint}
        login = {"conn_type": "aliyun_vod", "login": sandbox.access_key_id, "password": sandbox.access_key_secret}
        results = {"conn_type": "postgres", "host": postgres.socket, "login": postgres.user, "schema": "vod_migrate"}
        environment |= {
            "AIRFLOW_CONN_VOD_SANDBOX": json.dumps({**login, "extra": extra}),
            "AIRFLOW_CONN_VOD_MIGRATE_DB": json.dumps(results),
            "AIRFLOW__CORE__AUTH_MANAGER": "limited_auth.LimitedAuthManager",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "PYTHONPATH": f"{Path(__file__).parent}:{REPOSITORY}",
            "VOD_MIGRATE_REPORTS": str(folder / "reports"),
        }
        airflow = stack.enter_context(local_airflow(folder, environment))
        store = stack.enter_context(Store.open(postgres.url("vod_migrate")))
        passwords = json.loads((folder / "passwords.json").read_text())
        yield Stage(
            airflow=airflow, sandbox=sandbox, postgres=postgres, store=store, folder=folder, passwords=passwords
        )
