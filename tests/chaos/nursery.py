"""Starts processes in milliseconds: one parent has imported everything, each child is a fork of it in a group of its own.

A hundred kills are a hundred starts, and importing the SDKs takes a second and a half each time. What a child then runs is
the command line itself, or a part of the engine as an Airflow task would run it; it is killed like any other process.

    python nursery.py                 orders on stdin, reports on stdout, one JSON object a line
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMPORTED = (
    "vod_migrate.cloud.oss",
    "vod_migrate.cloud.vod",
    "vod_migrate.cli.app",
    "vod_migrate.discover.source",
    "vod_migrate.run.lifecycle",
    "vod_migrate.register.worker",
    "vod_migrate.report.files",
)
_GLANCE_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A child's end; code: as subprocess has it, so -9 for SIGKILL."""

    pid: int
    code: int


class Nursery:
    """The supervisor's side."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._ended: list[Ended] = []
        self._waiting = b""
        self._started: list[int] = []
        self._ready = False
        while not self._ready:
            self._read()

    def start(self, *arguments: str, environment: dict[str, str], log: Path) -> int:
        """Starts a child with `arguments`; returns its pid. Its output is appended to `log`."""
        assert self._parent.stdin is not None
        order = {"arguments": arguments, "environment": environment, "log": str(log)}
        self._parent.stdin.write(json.dumps(order).encode() + b"\n")
        while not self._started:
            self._read()
        return self._started.pop()

    def ended(self) -> Iterator[Ended]:
        """The children that ended since the last time."""
        assert self._parent.stdout is not None
        while select.select([self._parent.stdout], [], [], 0)[0]:
            self._read()
        ended, self._ended = self._ended, []
        yield from ended

    def close(self) -> None:
        """Kills every child that is left, and the parent."""
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        try:
            self._parent.wait(10)
        except subprocess.TimeoutExpired:
            self._parent.kill()
            self._parent.wait()
        if self._parent.stdout is not None:
            self._parent.stdout.close()

    def _read(self) -> None:
        assert self._parent.stdout is not None
        got = os.read(self._parent.stdout.fileno(), 65_536)
        assert got, "the nursery died"
        *lines, self._waiting = (self._waiting + got).split(b"\n")
        for line in lines:
            report = json.loads(line)
            if "ended" in report:
                self._ended.append(Ended(pid=report["ended"], code=report["code"]))
            elif "started" in report:
                self._started.append(report["started"])
            else:
                self._ready = True


def _serve() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    if threading.active_count() != 1:
        raise SystemExit("something imported here starts threads, which a fork would lose")
    _say({"ready": True})
    children: set[int] = set()
    waiting = b""
    while True:
        if select.select([0], [], [], _GLANCE_SECONDS)[0]:
            got = os.read(0, 65_536)
            if not got:
                break
            *orders, waiting = (waiting + got).split(b"\n")
            for order in orders:
                children.add(_fork(json.loads(order)))
        while children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            children.discard(pid)
            _say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = _become(order)
        finally:
            os._exit(code)
    _say({"started": pid})
    return pid


def _become(order: dict[str, Any]) -> int:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    kind, *arguments = order["arguments"]
    try:
        if kind == "task":
            return _task(*arguments)
        from vod_migrate.cli.app import main  # noqa: PLC0415 - imported before the fork

        sys.argv = ["vod-migrate", kind, *arguments]
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - told in the log
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _task(action: str, run_id: str, slot: str = "") -> int:
    """What an Airflow task does: one call into the engine with a store of its own."""
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - imported before the fork
    from vod_migrate.errors import VodMigrateError  # noqa: PLC0415 - imported before the fork
    from vod_migrate.results.store import Store  # noqa: PLC0415 - imported before the fork
    from vod_migrate.run import lifecycle  # noqa: PLC0415 - imported before the fork

    stop = threading.Event()
    try:
        with Store.open(os.environ["VOD_MIGRATE_DATABASE_URL"]) as store:
            connection = connection_from_environment()
            if action == "discover":
                lifecycle.discover(store=store, connection=connection, run_id=run_id, stop=stop)
            else:
                lifecycle.register(store=store, connection=connection, run_id=run_id, slot=slot, stop=stop)
    except VodMigrateError as error:
        print(f"{action} {slot}: {type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _say(report: dict[str, Any]) -> None:
    os.write(1, json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    _serve()
