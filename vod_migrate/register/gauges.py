"""The gauges of a run: what it has left to send, for how long, and how fast its account may send.

The first living worker of a run tells them, so that many workers ask the database no more than one does.
"""

from __future__ import annotations

import logging
import threading
import time

from vod_migrate.rate.limiter import API
from vod_migrate.register.context import WorkerContext

log = logging.getLogger(__name__)


class Gauges:
    """What one worker tells about its run beside what it records."""

    def __init__(self, context: WorkerContext) -> None:
        self._context = context
        self._lock = threading.Lock()

    def run(self) -> None:
        """The work of one thread until the worker halts."""
        wait = 0.0
        while not self._context.halt.wait(wait):
            began = time.monotonic()
            self.tell()
            # Counting grows with the run; it must never take more than a twentieth of the time.
            wait = max(self._context.timings.gauges, 20 * (time.monotonic() - began))

    def tell(self, *, anyway: bool = False) -> None:
        """Looks once, and tells. anyway: although this may not be the worker whose business it is."""
        context = self._context
        if context.metrics.receiver is None:
            return
        with self._lock:  # so that what is told last was also seen last
            try:
                found = context.store.gauges(context.run, context.place, API, anyway=anyway, patience=0.0)
            except Exception:  # whatever it is, a metric never breaks a run
                log.debug("the gauges of the run cannot be read", exc_info=True)
                return
            for name, value in found.items():
                context.metrics.gauge(name, value)
