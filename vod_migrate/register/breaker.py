"""In an outage workers stop asking: after a streak of failures one of them probes, the others wait."""

from __future__ import annotations

import logging
import threading

from vod_migrate.shutdown import Clock, Timings

log = logging.getLogger(__name__)

STREAK = 8
"""Failures in a row, over all threads of the worker, that mean an outage and not a bad call."""


class Breaker:
    """Shared by the threads of one worker. Closed: all may call. Open: one at a time, two seconds apart."""

    def __init__(self, clock: Clock, timings: Timings) -> None:
        self._clock = clock
        self._timings = timings
        self._lock = threading.Lock()
        self._streak = 0
        self._next_probe = 0.0
        self._prober = 0  # the thread that may ask while it is open
        self._last_success = float("-inf")

    @property
    def open(self) -> bool:
        """Whether the service counts as down."""
        return self._streak >= STREAK

    def admit(self) -> None:
        """Returns when this thread may call.

        Raises:
            Interrupted: the worker is to stop.
        """
        while True:
            with self._lock:
                if not self.open:
                    return
                now = self._clock.now()
                if now >= self._next_probe:
                    self._next_probe = now + self._timings.probe
                    self._prober = threading.get_ident()
                    return
            self._clock.sleep(self._timings.breaker_glance)

    def admits_still(self) -> bool:
        """Whether this thread, admitted a while ago, may still call: the service may have failed while it waited for its slot."""
        with self._lock:
            return not self.open or self._prober == threading.get_ident()

    def answered(self) -> None:
        """The service gave an answer of any kind."""
        with self._lock:
            was_open = self.open
            self._streak = self._prober = 0
            self._last_success = self._clock.now()
        if was_open:
            log.warning("VOD responds again; sending continues")

    def failed(self, error: Exception | None = None) -> None:
        """The service or the way to it failed."""
        with self._lock:
            self._streak += 1
            opens = self._streak == STREAK
        if opens:
            log.warning(
                "VOD is unavailable; nothing is lost, and the worker probes it every %g s: %s",
                self._timings.probe,
                error,
            )

    def answered_since(self, moment: float) -> bool:
        """Whether another call was answered after a moment of the clock."""
        with self._lock:
            return self._last_success > moment
