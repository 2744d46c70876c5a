"""What ends a worker before its work does: somebody asks it to halt, or its time is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vod_migrate.errors import VodMigrateError


class StopRequest:
    """Ends a worker's threads, for the first reason that anybody gives. event: for waits that must end with it."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.reason: BaseException | None = None
        self._lock = threading.Lock()

    def ask(self, reason: BaseException | None) -> None:
        """Ends the work; None: because there is none left."""
        with self._lock:
            if not self.event.is_set():
                self.reason = reason
            self.event.set()

    @property
    def asked(self) -> bool:
        """Whether the work is to end."""
        return self.event.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits, and says whether the work is to end."""
        return self.event.wait(seconds)


class Deadline:
    """The moment after which a worker sends nothing, on its own monotonic clock; moved as the run's clock is read again."""

    def __init__(self) -> None:
        self._until = float("inf")
        self._why: Callable[[], VodMigrateError] | None = None
        self._lock = threading.Lock()

    def set(self, until: float, why: Callable[[], VodMigrateError] | None) -> None:
        """until: of time.monotonic(); why: makes the error that says so."""
        with self._lock:
            self._until, self._why = until, why

    def passed(self) -> VodMigrateError | None:
        """Why nothing may be sent any more, None while it may."""
        with self._lock:
            over = self._why is not None and time.monotonic() >= self._until
            return self._why() if over and self._why is not None else None
