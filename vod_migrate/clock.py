"""Time as the engine sees it: handed in, so that tests need not wait, and a wait ends when the process is told to stop."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from vod_migrate.errors import Interrupted

__all__ = ["Clock", "StopClock"]


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
