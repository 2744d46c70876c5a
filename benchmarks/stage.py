"""What every benchmark needs: a sandbox, a results database, and workers, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import psycopg
import yaml

MOST_LINES = 20
CLEAN = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "PYTHONDONTWRITEBYTECODE")


class Stage:
    """A folder, the environment of its processes, and the processes themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.errors = folder / "errors.txt"
        self.environment = {name: value for name, value in os.environ.items() if name not in CLEAN}
        self.environment |= {"ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true", "VOD_MIGRATE_HOME": str(folder)}
        self.processes: list[subprocess.Popen[str]] = []
        self.sandbox_url = ""

    def sandbox(self, config: dict[str, Any]) -> None:
        """Starts a sandbox and points the environment at it."""
        file, ready = self.folder / "sandbox.yaml", self.folder / "ready.json"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        process = self.start("sandbox", "serve", "--config", str(file), "--ready-file", str(ready))
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("the sandbox did not start")
            time.sleep(0.05)
        told = json.loads(ready.read_text(encoding="utf-8"))
        self.environment |= told["environment"]
        self.sandbox_url = told["environment"]["VOD_MIGRATE_SANDBOX_URL"]

    def database(self, folder: Path | None = None) -> str:
        """Starts the embedded Postgres, kept by this process. folder: where its files stay, by default in the stage's own."""
        from vod_migrate.results.embedded import embedded_url  # noqa: PLC0415 - after the environment is clean

        url = embedded_url((folder or self.folder / "postgres").resolve())
        self.environment["VOD_MIGRATE_DATABASE_URL"] = url
        return url

    def migration(self, name: str, **content: Any) -> Path:
        """Writes a migration file."""
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({"name": name, **content}), encoding="utf-8")
        return file

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts a vod-migrate process in its own process group."""
        return self._start("-m", "vod_migrate.cli", *arguments, **options)

    def start_script(self, name: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts a script of this folder likewise."""
        return self._start(str(Path(__file__).with_name(name)), *arguments, **options)

    def _start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        with self.errors.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment,
                stdout=options.get("stdout", subprocess.DEVNULL),
                stderr=options.get("stderr", errors),
                text=True,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def lines(self, path: str) -> list[str]:
        """The lines of an NDJSON answer of the sandbox's control API."""
        with urlopen(f"{self.sandbox_url}/_sandbox/{path}", timeout=60) as answer:  # noqa: S310 - loopback
            text: str = answer.read().decode()
        return text.splitlines()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the sandbox's control API."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.sandbox_url}/_sandbox/{path}", data=content, method=method)  # noqa: S310 - loopback
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            text = answer.read().decode()
        return json.loads(text) if text else None

    def stop(self) -> None:
        """Ends every process that is still there."""
        for process in reversed(self.processes):
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for_runs(url: str, count: int) -> list[str]:
    from vod_migrate.results.store import Store  # noqa: PLC0415 - after the stage is set

    with Store.open(url, connections=2) as store:
        for _ in range(300):
            runs = store.runs()
            if len(runs) == count:
                return [run.run_id for run in runs]
            time.sleep(0.1)
    raise SystemExit("the runs did not begin")


def postgres_of(url: str) -> psutil.Process:
    """The server of a database on this machine."""
    with psycopg.connect(url) as connection:
        return psutil.Process(psutil.Process(connection.info.backend_pid).ppid())


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage in a temporary folder; nothing stays behind. Where the benchmark fails, it prints what the processes said last."""
    with tempfile.TemporaryDirectory(prefix="vod-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        play = Stage(Path(folder))
        try:
            yield play
        except BaseException:
            # Why is rather in what a process said than in what missed it.
            if play.errors.exists():
                print(*play.errors.read_text(encoding="utf-8").splitlines()[-MOST_LINES:], sep="\n", file=sys.stderr)
            raise
        finally:
            play.stop()
