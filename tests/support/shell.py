"""The command line as its users have it, in this process or in one of its own."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import yaml

from vod_migrate.cli import app

BUCKET = "media-archive"
MIGRATION = {"name": "nightly", "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}

QUIETED = ("psycopg.pool", "oss2")
"""The loggers that a command silences in its process; tests that look for secrets in logs need them."""


class Kept(io.RawIOBase):
    """What was written."""

    def __init__(self) -> None:
        self.kept = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.kept += bytes(data)
        return len(data)


def _default_signals() -> None:
    """What nohup, or a shell's `&`, makes the tests ignore is not the command's business."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs vod-migrate. environment: what every command has in addition to PATH and the like."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        clean = ("PYTHONDONTWRITEBYTECODE", "XDG_RUNTIME_DIR")
        ours = ("VOD_MIGRATE_", "ALIBABA_CLOUD_")
        self.environment = {k: v for k, v in os.environ.items() if k not in clean and not k.startswith(ours)}
        self.environment |= {"LC_ALL": "C.UTF-8", **environment}
        self.started: list[subprocess.Popen[str]] = []

    def file(self, content: Any = None) -> Path:
        """A migration file of this content, or text; as a rule MIGRATION."""
        path = self.folder / "migration.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content or MIGRATION), encoding="utf-8")
        return path

    def run(
        self,
        *arguments: str,
        encoding: str = "utf-8",
        output: io.RawIOBase | None = None,
        told: io.RawIOBase | None = None,
    ) -> Done:
        """A command to its end in this process: one of its own would begin with a second of imports.

        encoding: of stdout and stderr; output, told: what stands behind stdout and stderr.
        """
        written, messages = output or Kept(), told or Kept()
        out, errors = (io.TextIOWrapper(io.BufferedWriter(raw), encoding) for raw in (written, messages))
        code: Any = 0
        loud = {name: logging.getLogger(name).level for name in QUIETED}
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "argv", ["vod-migrate", *arguments]),
            mock.patch.object(app, "_exit", sys.exit),
            redirect_stdout(out),
            redirect_stderr(errors),
        ):
            try:
                app.main()
            except SystemExit as end:
                code = end.code or 0
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with suppress(Exception):
                        stream.flush()
                for name, level in loud.items():
                    logging.getLogger(name).setLevel(level)
        done = Done(code, *(getattr(raw, "kept", b"").decode(encoding) for raw in (written, messages)))
        print(*done, sep="\n")  # noqa: T201 - where secrets are looked for
        return done

    def start(
        self, *arguments: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """A command in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "vod_migrate.cli", *arguments],
            env=self.environment,
            stdout=stdout,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_default_signals,  # noqa: PLW1509 - it takes no lock
        )
        self.started.append(process)
        return process

    def run_process(self, *arguments: str) -> Done:
        """A command to its end in a process of its own."""
        process = self.start(*arguments)
        out, told = process.communicate(timeout=120)
        return Done(process.returncode, out, told)

    def stop(self) -> None:
        """Leaves no process behind."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
