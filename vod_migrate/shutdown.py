"""How a process is told to stop, and how its waits end with it.

Python runs a signal's handler on the main thread, and Airflow calls `on_kill` inside one. `threading.Event.set` takes a lock that the same
thread may be holding at that moment (inside `wait`), and would then wait for itself. `SimpleQueue.put` is reentrant by
contract, so the handler only puts, and a thread of its own sets the event.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import Protocol

from vod_migrate.errors import BadSetting, Interrupted


class Clock(Protocol):
    """Time as a worker sees it."""

    def now(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits.

        Raises:
            Interrupted: the worker is to stop.
        """
        ...


class StopClock:
    """Real time that ends early: sleeping raises Interrupted as soon as `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits, or raises Interrupted."""
        if self._stop.wait(max(0.0, seconds)):
            raise Interrupted("the worker was told to stop", code="interrupted")


GRACE_VARIABLE = "VOD_MIGRATE_GRACE_SECONDS"


GRACE_SECONDS = 5.0
"""Airflow's own: so long after SIGTERM its supervisor sends SIGKILL."""


def grace_seconds() -> float:
    """How many seconds the platform leaves a process between SIGTERM and SIGKILL.

    Raises:
        BadSetting: the variable holds no number from 1 to 600.
    """
    given = os.environ.get(GRACE_VARIABLE, "").strip()
    if not given:
        return GRACE_SECONDS
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 600:  # noqa: PLR2004 - ten minutes are more than any platform grants
        raise BadSetting(
            f"{GRACE_VARIABLE} is {given!r}: give the seconds between SIGTERM and SIGKILL, 1 to 600, e.g. 30"
        )
    return seconds


class StopSignal:
    """A stop event that a signal handler may set."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._pass_on, name="stop-signal", daemon=True).start()

    def ask(self) -> None:
        """Sets `event` soon; safe inside a signal handler."""
        self._asked.put(None)

    def _pass_on(self) -> None:
        self._asked.get()
        self.event.set()
