"""Starts processes in milliseconds: one parent has imported everything, each child is a fork of it in a group of its own.

A hundred kills are a hundred starts, and importing the SDKs takes a second and a half each time. What a child then runs is
the command line itself, or a part of the engine as an Airflow task would run it; it is killed like any other process.

    python nursery.py                 orders on stdin, reports on stdout, one JSON object a line
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._ended: list[Ended] = []
        self._read()

    def start(self, *arguments: str, environment: dict[str, str], log: Path) -> int:
        """Starts a child with `arguments`; returns its pid. Its output is appended to `log`."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps({"arguments": arguments, "environment": environment, "log": str(log)}) + "\n")
        while True:
            report = self._read()
            if "started" in report:
                return int(report["started"])

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

    def _read(self) -> dict[str, Any]:
        assert self._parent.stdout is not None
        line = self._parent.stdout.readline()
        assert line, "the nursery died"
        report: dict[str, Any] = json.loads(line)
        if "ended" in report:
            self._ended.append(Ended(pid=report["ended"], code=report["code"]))
        return report


def _serve() -> None:
    import alibabacloud_vod20170321.client  # noqa: F401, PLC0415 - imported before the forks, that is the point
    import alibabacloud_vod20170321.models  # noqa: F401, PLC0415 - the same

    import vod_migrate.discover.sources  # noqa: F401, PLC0415 - the same
    import vod_migrate.engine  # noqa: F401, PLC0415 - the same
    import vod_migrate.register.lookups  # noqa: F401, PLC0415 - the same
    import vod_migrate.register.worker  # noqa: F401, PLC0415 - the same
    import vod_migrate.report.files  # noqa: F401, PLC0415 - the same
    from vod_migrate import cli  # noqa: F401, PLC0415 - the same

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
        from vod_migrate.cli import main  # noqa: PLC0415 - imported before the fork

        sys.argv = ["vod-migrate", kind, *arguments]
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - told in the log
        import traceback  # noqa: PLC0415 - only now

        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _task(action: str, run_id: str, slot: str = "") -> int:
    """What an Airflow task does: one call into the engine with a store of its own."""
    from vod_migrate import engine  # noqa: PLC0415 - imported before the fork
    from vod_migrate.connection import connection_from_environment  # noqa: PLC0415 - imported before the fork
    from vod_migrate.errors import VodMigrateError  # noqa: PLC0415 - imported before the fork
    from vod_migrate.results.store import Store  # noqa: PLC0415 - imported before the fork

    stop = threading.Event()
    try:
        with Store.open(os.environ["VOD_MIGRATE_DATABASE_URL"]) as store:
            connection = connection_from_environment()
            if action == "discover":
                engine.discover(store=store, connection=connection, run_id=run_id, stop=stop)
            else:
                engine.register(store=store, connection=connection, run_id=run_id, slot=slot, stop=stop)
    except VodMigrateError as error:
        print(f"{action} {slot}: {type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - its log
        return error.exit_code
    return 0


def _say(report: dict[str, Any]) -> None:
    os.write(1, json.dumps(report).encode() + b"\n")


if __name__ == "__main__":
    _serve()
