"""A whole Airflow on this machine: API server, scheduler, DAG processor, on a free port of 127.0.0.1 and nothing else.

The components are started one by one rather than by `airflow standalone`, which leaves processes behind when it is stopped,
and without their log servers, which would listen on every interface: the API server reads the log files themselves.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.airflow_api import AirflowApi
from demo.processes import Child, ChildFailed, free_port, log_tail, run_to_end, stop_all

USER = PASSWORD = "admin"  # noqa: S105 - loopback only, disposable
_MIGRATE_SECONDS = 180.0
_START_SECONDS = 180.0
_NEEDED = ("metadatabase", "scheduler", "dag_processor")


@dataclass(frozen=True, kw_only=True)
class LocalAirflow:
    """A running Airflow. environment: what its commands need to find it."""

    api: AirflowApi
    home: Path
    environment: Mapping[str, str]
    children: tuple[Child, ...]

    def check(self) -> None:
        """Raises ChildFailed if a component has ended."""
        for child in self.children:
            child.check()

    def command(self, *arguments: str, seconds: float = 120.0) -> None:
        """Runs `airflow …` to its end; its output is in command.log."""
        run_to_end(
            f"airflow {' '.join(arguments[:2])}",
            [command_of("airflow"), *arguments],
            environment=self.environment,
            log=self.home / "command.log",
            folder=self.home,
            seconds=seconds,
        )


@contextmanager
def local_airflow(home: Path, environment: Mapping[str, str], *, triggerer: bool = False) -> Iterator[LocalAirflow]:
    """Migrates the metadata database, starts the components, waits until they are healthy, and stops them at the end.

    environment: made by `airflow_environment`. triggerer: for tasks that wait without a slot, such as `verify`.
    """
    logs = home / "components"
    logs.mkdir(parents=True, exist_ok=True)
    airflow = command_of("airflow")
    passwords = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    passwords.write_text(json.dumps({USER: PASSWORD}))
    run_to_end(
        "airflow db migrate",
        [airflow, "db", "migrate"],
        environment=environment,
        log=logs / "db-migrate.log",
        folder=home,
        seconds=_MIGRATE_SECONDS,
    )
    commands = {
        "api-server": ["api-server"],
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
    }
    if triggerer:
        commands["triggerer"] = ["triggerer", "--skip-serve-logs"]
    children: list[Child] = []
    api = AirflowApi(environment["AIRFLOW__API__BASE_URL"], user=USER, password=PASSWORD)
    try:
        for name, arguments in commands.items():
            log = logs / f"{name}.log"
            children.append(Child(name, [airflow, *arguments], environment=environment, log=log, folder=home))
        running = LocalAirflow(api=api, home=home, environment=environment, children=tuple(children))
        _wait_until_healthy(running, logs)
        yield running
    finally:
        api.close()
        stop_all(children)


def airflow_environment(
    home: Path, *, dags: Path, database: str, plugins: Path | None = None, parallelism: int = 4
) -> dict[str, str]:
    """The environment of an Airflow in `home`, whose every secret is new.

    database: SQLAlchemy URL of the metadata. parallelism: tasks at a time; each costs about 100 MB.
    """
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    settings = {
        "AIRFLOW__API__BASE_URL": base,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        # Airflow would look for it on its default port, whatever the API server's own is.
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins or home / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_HOME": str(home),
    }
    return {**clean_environment(), **settings}


def clean_environment() -> dict[str, str]:
    """This process's environment without what would lead a local Airflow elsewhere.

    Proxies (the VOD SDK sends even loopback calls to one), another Airflow's settings, and the ban on bytecode, which makes
    every Airflow process start 5 s later.
    """
    dropped = {"PYTHONDONTWRITEBYTECODE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "VOD_MIGRATE_DATABASE_URL"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in dropped and not name.startswith(("AIRFLOW_", "_AIRFLOW_", "ALIBABA_CLOUD_"))
    }
    folder = str(Path(sys.executable).parent)
    return {
        **kept,
        "PATH": f"{folder}{os.pathsep}{kept.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
    }


def command_of(name: str) -> str:
    """A console script that is installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def _wait_until_healthy(airflow: LocalAirflow, logs: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        airflow.check()
        health = airflow.api.health()
        if all(health.get(name) == "healthy" for name in _NEEDED):
            return
        if time.monotonic() > until:
            tails = "\n".join(log_tail(log) for log in sorted(logs.glob("*.log")))
            raise ChildFailed(f"Airflow is not healthy after {_START_SECONDS:.0f} s ({health}).\n{tails}")
        time.sleep(0.5)
