"""The deployment of docker-compose.yml as local processes, whose workers come and go."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from demo.airflow_api import AirflowApi
from demo.cluster.compose_file import Service, compose_services, example_values, filled_values, write_env
from demo.cluster.machine import Machine, Site, free_ports
from demo.cluster.postgres import start_postgres
from demo.processes import ChildFailed, log_tail, stop_all

_START_SECONDS = 240.0
"""Six Airflow processes start on two cores, perhaps beside other work."""
_CONTROL = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
_HEALTHY = ("metadatabase", "scheduler", "dag_processor", "triggerer")
NOTICED_SECONDS = {"Airflow": 20, "the other workers": 30}
"""How soon a dead worker is noticed: its tasks by Airflow, its claims by the other workers. A deployment waits 300 s and 90 s."""
_NOTICED = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(NOTICED_SECONDS["Airflow"]),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "VOD_MIGRATE_LEASE_SECONDS": str(NOTICED_SECONDS["the other workers"]),
}


@dataclass(kw_only=True)
class Deployment:
    """A running deployment. values: of its `.env`; machines: by name."""

    site: Site
    services: Mapping[str, Service]
    values: Mapping[str, str]
    machines: dict[str, Machine] = field(default_factory=dict)

    def add(self, service: str, name: str | None = None) -> Machine:
        """A machine for a service, not started yet. name: its host name, default the service's."""
        machine = Machine(self.site, self.services[service], name=name or service)
        machine.environment.update(_NOTICED)
        self.machines[machine.name] = machine
        return machine

    def add_worker(self, number: int) -> Machine:
        """Starts one more worker."""
        worker = self.add("airflow-worker", f"worker-{number}")
        worker.start()
        return worker

    def check(self, *, gone: tuple[str, ...] = ()) -> None:
        """Raises ChildFailed if a machine has ended that should run. gone: those that may."""
        for name, machine in self.machines.items():
            if name not in (*gone, "airflow-init"):
                machine.child.check()

    @property
    def results_url(self) -> str:
        """Of the results database, as a worker has it."""
        return self.machines["airflow-init"].environment["VOD_MIGRATE_DATABASE_URL"]

    @property
    def sandbox_url(self) -> str:
        """Where OSS and VOD answer."""
        return f"http://127.0.0.1:{self.site.ports['sandbox']}"

    def api(self) -> AirflowApi:
        """Airflow's API, as its first user."""
        return AirflowApi(self.site.url, user=self.values["ADMIN_USERNAME"], password=self.values["ADMIN_PASSWORD"])


def copy_project(root: Path, target: Path) -> Path:
    """Copies what a deployment is made of, as somebody who deploys a clone has it."""
    target.mkdir()
    for name in ("docker-compose.yml", "Dockerfile", ".env.example"):
        shutil.copy2(root / name, target / name)
    for name in ("dags", "plugins", "deploy"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    return target


@contextmanager
def deployed(project: Path, folder: Path, *, workers: int, objects: int) -> Iterator[Deployment]:
    """Starts all services in the order that the compose file asks for, and stops them at the end.

    project: made by `copy_project`. workers: Celery workers, each with one task slot. objects: in the sandbox's bucket.
    """
    if shutil.which("redis-server") is None or shutil.which("curl") is None:
        raise ChildFailed("redis-server or curl is not here. On Debian: apt-get install redis-server curl")
    site = Site(project=project, folder=folder, ports=free_ports())
    compose = (project / "docker-compose.yml").read_text(encoding="utf-8")
    values = {
        **filled_values(example_values((project / ".env.example").read_text(encoding="utf-8")), compose),
        "AIRFLOW_PORT": str(site.ports["airflow-api-server"]),
        "AIRFLOW_BASE_URL": site.url,
        "SANDBOX_ADDRESS": "127.0.0.1",
        "WORKER_CONCURRENCY": "1",
    }
    write_env(project / ".env", values)
    running = Deployment(site=site, services=_with_objects(compose_services(compose, values), objects), values=values)
    try:
        _start(running, workers)
        yield running
    finally:
        stores = ("postgres", "redis")
        started = {name: one.child for name, one in running.machines.items() if one.started}
        # Whoever uses the stores first.
        stop_all([child for name, child in started.items() if name not in stores])
        stop_all([child for name, child in started.items() if name in stores])


def _start(running: Deployment, workers: int) -> None:
    running.add("sandbox").start()
    postgres, redis = running.add("postgres"), running.add("redis")
    start_postgres(
        postgres,
        data=running.site.volume("postgres"),
        port=running.site.ports["postgres"],
        healthy_within=_START_SECONDS,
    )
    redis.start()
    redis.wait_until_healthy(_START_SECONDS)
    init = running.add("airflow-init")
    init.start()
    init.wait_for_end(_START_SECONDS)
    for name in _CONTROL:
        running.add(name).start()
    running.machines["airflow-api-server"].wait_until_healthy(_START_SECONDS)
    started = [running.add_worker(number) for number in range(1, workers + 1)]
    for worker in started:
        worker.wait_until_healthy(_START_SECONDS)
    running.machines["sandbox"].wait_until_healthy(_START_SECONDS)
    _wait_for_airflow(running)


def _wait_for_airflow(running: Deployment) -> None:
    until = time.monotonic() + _START_SECONDS
    api = running.api()
    try:
        while any((health := api.health()).get(name) != "healthy" for name in _HEALTHY):
            running.check()
            if time.monotonic() > until:
                tails = "\n".join(log_tail(running.machines[name].log) for name in _CONTROL)
                raise ChildFailed(f"Airflow is not healthy after {_START_SECONDS:.0f} s ({health}).\n{tails}")
            time.sleep(0.5)
    finally:
        api.close()


def _with_objects(services: Mapping[str, Service], objects: int) -> dict[str, Service]:
    sandbox = services["sandbox"]
    *words, script = sandbox.command
    bigger = script.replace("--objects 20000", f"--objects {objects}")
    return {**services, "sandbox": replace(sandbox, command=(*words, bigger))}
