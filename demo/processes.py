"""Child processes that are certain to end: each in a session of its own, stopped with escalation, its log kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_GRACE_SECONDS = 6.0
"""A scheduler with tasks at work would wait for their end; after this they are told to stop too."""
_POLL_SECONDS = 0.1


class ChildFailed(Exception):
    """A process of the demo ended or did not answer; the text holds the end of its log."""


class Child:
    """A running process and everything that it started, which is its session.

    Airflow gives every task a process group of its own, so stopping a group would miss tasks; none leaves the session.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        folder: Path,
        user: str | None = None,
    ) -> None:
        """user: who it runs as, where this process may choose."""
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
            )

    def check(self) -> None:
        """Raises ChildFailed if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise ChildFailed(f"{self.name} ended with exit code {code}. {log_tail(self.log)}")

    def send(self, number: signal.Signals) -> None:
        """Signals the process itself, which may then end its own children in order."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the whole session, as a machine that fails."""
        for process in self.members():
            with suppress(psutil.Error):
                process.kill()
        self.process.wait()

    def members(self) -> list[psutil.Process]:
        """What still runs of the session."""
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if os.getsid(process.pid) == self.process.pid and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def stop_all(children: Sequence[Child], *, grace: float = _GRACE_SECONDS) -> None:
    """Ends sessions: SIGTERM to their leaders, then to all, then SIGKILL. Returns when nothing of them runs."""
    for child in children:
        child.send(signal.SIGTERM)
    _wait(children, grace)
    for number, patience in ((signal.SIGTERM, 4.0), (signal.SIGKILL, 5.0)):
        left = [process for child in children for process in child.members()]
        if not left:
            break
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        _wait(children, patience)
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(5)


def _wait(children: Sequence[Child], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and any(child.process.poll() is None or child.members() for child in children):
        time.sleep(_POLL_SECONDS)


def run_to_end(
    name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path, folder: Path, seconds: float
) -> None:
    """Runs one command."""
    child = Child(name, command, environment=environment, log=log, folder=folder)
    try:
        code = child.process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"{name} took longer than {seconds:.0f} s. {log_tail(log)}") from None
    finally:
        stop_all([child])
    if code:
        raise ChildFailed(f"{name} failed with exit code {code}. {log_tail(log)}")


def log_tail(log: Path, lines: int = 25) -> str:
    """The end of a log, introduced by its path."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"It wrote no log ({log})."
    return f"The end of {log}:\n" + "\n".join(text.splitlines()[-lines:])


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
