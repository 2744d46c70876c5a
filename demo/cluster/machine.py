"""One service of the compose file on a machine of its own: a folder that stands for the container's files, a host name, processes."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from demo.cluster.compose_file import Service, image_files
from demo.local_airflow import clean_environment
from demo.processes import Child, ChildFailed, free_port, log_tail

_CONTAINER = Path(__file__).parent / "container"
_HOME = "/opt/airflow"
_ADDRESS = "127.0.0.1"
_PORTS = {"postgres": 5432, "redis": 6379, "airflow-api-server": 8080, "airflow-scheduler": 8974, "sandbox": 9000}
_NO_LOG_SERVER = ("airflow-scheduler", "airflow-triggerer", "airflow-worker")
"""Their log servers would listen on every address. The volume `logs` is shared, so the API server reads the files."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What all machines share. project: the folder of the compose file; folder: of the machines and volumes."""

    project: Path
    folder: Path
    ports: Mapping[str, int]

    def volume(self, name: str) -> Path:
        """The folder of a volume."""
        return self.folder / "volumes" / name

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"http://{_ADDRESS}:{self.ports['airflow-api-server']}"


def free_ports() -> dict[str, int]:
    """A port of this machine for each port of a container."""
    return {name: free_port() for name in _PORTS}


class Machine:
    """A container as local processes.

    It differs from the container in what one machine cannot have twice: addresses and ports. Paths of the container lead
    into `root`, where volumes are links to folders that several machines may share.
    """

    def __init__(self, site: Site, service: Service, *, name: str) -> None:
        self.name = name
        self.root = site.folder / "machines" / name
        self.log = site.folder / "logs" / f"{name}.log"
        self._site = site
        self.service = self._here(service)
        self.environment = self._environment()
        self._child: Child | None = None
        self._lay_out(service)

    def start(self, *, user: str | None = None) -> None:
        """Starts the service's command. user: who it runs as."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._child = Child(
            self.name,
            self.service.command,
            environment=self.environment,
            log=self.log,
            folder=self.root,
            user=user,
        )

    @property
    def started(self) -> bool:
        """Whether it has processes, or had some."""
        return self._child is not None

    @property
    def child(self) -> Child:
        """Its processes."""
        if self._child is None:
            raise ChildFailed(f"{self.name} was not started")
        return self._child

    def wait_until_healthy(self, seconds: float) -> None:
        """Repeats the health check of the compose file until it succeeds."""
        until = time.monotonic() + seconds
        while True:
            self.child.check()
            done = subprocess.run(  # noqa: S603 - the compose file's own command
                self.service.health,
                env=self.environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            if time.monotonic() > until:
                told = f"{done.stdout}{done.stderr}"[-2000:]
                raise ChildFailed(f"{self.name} is not healthy after {seconds:.0f} s: {told}\n{log_tail(self.log)}")
            time.sleep(0.5)

    def wait_for_end(self, seconds: float) -> None:
        """Waits for a service that ends by itself."""
        try:
            code = self.child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"{self.name} took longer than {seconds:.0f} s. {log_tail(self.log)}") from None
        if code:
            raise ChildFailed(f"{self.name} failed with exit code {code}. {log_tail(self.log)}")

    def unshare(self, target: str) -> None:
        """Takes a volume away from it. target: the path in the container."""
        (self.root / target.lstrip("/")).unlink()

    def stop(self) -> int:
        """As `docker stop` does: SIGTERM to the main process, and SIGKILL to all after the grace period. Returns the exit code."""
        self.child.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.child.process.wait(self.service.stop_grace_seconds)
        self.child.kill()
        return self.child.process.returncode

    def _here(self, service: Service) -> Service:
        command = tuple(self._local(service, word) for word in service.command)
        if service.name in _NO_LOG_SERVER:
            command = (*command, "--skip-serve-logs")
        return replace(
            service,
            command=command,
            environment={name: self._local(service, value) for name, value in service.environment.items()},
            health=tuple(self._local(service, word) for word in service.health),
        )

    def _local(self, service: Service, text: str) -> str:
        """A text of the compose file with local addresses and paths in it."""
        ports = self._site.ports
        for name, port in _PORTS.items():
            text = text.replace(f"{name}:{port}", f"{_ADDRESS}:{ports[name]}")
        if service.name in _PORTS:
            text = text.replace(f"localhost:{_PORTS[service.name]}", f"{_ADDRESS}:{ports[service.name]}")
        # The sandbox has an address rather than a name.
        text = text.replace(f"{_ADDRESS}:{_PORTS['sandbox']}", f"{_ADDRESS}:{ports['sandbox']}")
        text = text.replace("--host 0.0.0.0 --port 9000", f"--host {_ADDRESS} --port {ports['sandbox']}")
        text = text.replace("redis-server -", f"redis-server - --bind {_ADDRESS} --port {ports['redis']}")
        text = text.replace("redis-cli", f"redis-cli -h {_ADDRESS} -p {ports['redis']}")
        for path in (*(volume.target for volume in service.volumes if "/opt" not in volume.target), _HOME):
            text = text.replace(path, f"{self.root}{path}")
        return text

    def _environment(self) -> dict[str, str]:
        ports = self._site.ports
        return {
            **clean_environment(),
            "AIRFLOW_HOME": f"{self.root}{_HOME}",
            "AIRFLOW__API__HOST": _ADDRESS,
            "AIRFLOW__API__PORT": str(ports["airflow-api-server"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": _ADDRESS,
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(ports["airflow-scheduler"]),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "HOSTNAME": self.name,
            "PGPORT": str(ports["postgres"]),
            "PYTHONPATH": str(_CONTAINER),
            **self.service.environment,
        }

    def _lay_out(self, service: Service) -> None:
        """Makes the files of the image and links the volumes."""
        (self.root / _HOME.lstrip("/")).mkdir(parents=True)
        if service.name.startswith("airflow-"):
            for target, source in image_files((self._site.project / "Dockerfile").read_text(encoding="utf-8")).items():
                self._copy(self._site.project / source, self.root / target.lstrip("/"))
        for volume in service.volumes:
            self._link(volume.source, self.root / volume.target.lstrip("/"))

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)

    def _link(self, source: str, target: Path) -> None:
        path = self._site.project / source if source.startswith(".") else self._site.volume(source)
        if not source.startswith("."):
            path.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
