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
from dataclasses import dataclass
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
            raise Interrupted("the worker was stopped", code="interrupted")


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """How long the parts of a run wait, in seconds. The defaults are production values; tests pass shorter ones."""

    glance: float = 0.1
    """Between two looks of a worker's main thread at the stop event."""
    idle: float = 0.25
    """Between two looks for more work where there was none."""
    partial: float = 5.0
    """How long a batch that is not full waits for more objects while discovery still runs."""
    take_over: float = 10.0
    """How long a worker without work waits before it lists what nobody lists."""
    signal: float = 1.0
    """Between two looks at the run's row: has somebody paused or cancelled it?"""
    release: float = 1.5
    """What remains for releasing the claims once the calls in flight are abandoned."""
    drain_asked: float = 3.0
    """How long calls in flight are awaited when a person pauses or cancels the run and wants to see it end within five."""
    drain: float = 25.0
    """The same when nobody is in a hurry: connecting and reading take at most 20."""
    retry_first: float = 0.5
    """The longest wait before the first retry of a call."""
    retry_longest: float = 30.0
    """The longest wait before any retry of a call."""
    breaker_glance: float = 0.5
    """Between two looks at an open breaker."""
    probe: float = 2.0
    """Between two calls while the breaker is open."""
    canary_pool: float = 5.0
    """How long the canary waits for a slow listing to choose its keys from."""
    canary_lock: float = 0.5
    """Between two tries to send the canary that another worker is sending."""
    media_patience: float = 5.0
    """How long a media is looked for after its registration: VOD does not say how soon it can be read."""
    media_again: float = 0.5
    """Between two looks for a media."""
    first_again: float = 20.0
    """Between two looks at the first objects of a migration."""
    gauges: float = 15.0
    """Between two looks at what a run's gauges show."""


PRODUCTION = Timings()


GRACE_VARIABLE = "VOD_MIGRATE_GRACE_SECONDS"


GRACE_SECONDS = 5.0
"""Airflow's default: its supervisor sends SIGKILL this long after SIGTERM."""


def seconds_from(variable: str, default: float, *, most: float, refusal: str) -> float:
    """The seconds that an environment variable sets, 1 or more. refusal: what is said where it sets no such number, with `{given!r}` for it.

    Raises:
        BadSetting: it is not a number from 1 to `most`.
    """
    given = os.environ.get(variable, "").strip()
    if not given:
        return default
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= most:
        raise BadSetting(refusal.format(given=given))
    return seconds


def grace_seconds() -> float:
    """How many seconds the platform leaves a process between SIGTERM and SIGKILL.

    Raises:
        BadSetting: the variable is not a number from 1 to 600: ten minutes are more than any platform grants.
    """
    refusal = GRACE_VARIABLE + " is {given!r}: give the seconds between SIGTERM and SIGKILL, 1 to 600, e.g. 30"
    return seconds_from(GRACE_VARIABLE, GRACE_SECONDS, most=600, refusal=refusal)


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
