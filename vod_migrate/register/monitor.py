"""Watches over a worker while it sends: must the run end, is the worker's place still its own, do too many files fail; and tells the gauges.

Four threads, so that counting, which takes longer the larger a run is, never delays a pause or a lease.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from vod_migrate.errors import Interrupted, StoreError, ThresholdPassed
from vod_migrate.rate.limiter import API
from vod_migrate.register.context import WorkerContext
from vod_migrate.results.stop import sending_stops_at, stop_sending_reason

log = logging.getLogger(__name__)


class RunMonitor:
    """What one worker has to know besides its objects."""

    def __init__(self, context: WorkerContext) -> None:
        self._metrics = context.metrics
        self._store = context.store
        self._run = context.run
        self._place = context.place
        self._lease = context.lease
        self._halt = context.halt
        self._deadline = context.deadline
        self._timings = context.timings
        self.scopes: tuple[str, ...] = ()
        """The rate limits of the run and of its migration, as they are now."""
        self._next_renewal = 0.0
        self._telling = threading.Lock()

    def threads(self) -> list[threading.Thread]:
        """The threads that watch until the worker halts; not started yet."""
        seconds = self._timings.signal
        check = partial(self._count, self._check_threshold, seconds, first=seconds)
        show = partial(self._count, self.tell_gauges, self._timings.gauges, first=0.0)
        return [threading.Thread(target=work, daemon=True) for work in (self._look_on, self._keep_place, check, show)]

    def look(self, *, patience: float | None = 0.0) -> None:
        """Asks the worker to halt where the run is to end, and sees when it will be. patience: for a database that is away.

        Raises:
            StoreUnreachable
        """
        asked = time.monotonic()
        signal = self._store.signal(self._run.run_id, patience=patience)
        if signal.state == "succeeded":
            # A sibling has seen the end of the work, and nothing was left.
            self._halt.ask(None)
            return
        why = stop_sending_reason(self._run, signal)
        if why is not None:
            self._halt.ask(why)
            return
        self.scopes = signal.scopes
        end = sending_stops_at(self._run, signal.now)
        if end is not None:
            self._deadline.set(asked + (end.at - signal.now).total_seconds(), end.why)

    def renew(self) -> None:
        """Renews the lease, at most every second: a worker that has lost its place must not wait for work.

        Raises:
            StoreUnreachable
        """
        asked = time.monotonic()
        if asked >= self._next_renewal or not self._lease.holds():
            self._next_renewal = asked + self._timings.signal
            if self._store.renew(self._place):
                self._lease.renewed(asked)
            else:
                self._halt.ask(Interrupted("another worker has replaced this one", code="replaced"))

    def tell_gauges(self, *, anyway: bool = False) -> None:
        """What the run has left to send, for how long, and how fast its account may send.

        The first living worker of a run tells it, so that many workers ask the database no more than one does. anyway: although this may
        not be that worker.
        """
        if self._metrics.receiver is None:
            return
        with self._telling:  # so that what is told last was also seen last
            try:
                found = self._store.gauges(self._run, self._place, API, anyway=anyway, patience=0.0)
            except Exception:  # whatever it is, a metric never breaks a run
                log.debug("the gauges of the run cannot be read", exc_info=True)
                return
            for name, value in found.items():
                self._metrics.gauge(name, value)

    def _look_on(self) -> None:
        while not self._halt.wait(self._timings.signal):
            try:
                self.look()
            except StoreError as error:
                log.debug("the run's state cannot be read: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that nobody watches must not go on
                self._halt.ask(error)

    def _keep_place(self) -> None:
        while not self._halt.wait(self._lease.seconds / 3):
            try:
                self.renew()
            except StoreError as error:
                if not self._halt.asked:
                    log.warning("the lease of a worker could not be renewed: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker without a lease must not go on
                self._halt.ask(error)

    def _count(self, count: Callable[[], None], seconds: float, *, first: float) -> None:
        """Counting grows with the run; it must never take more than a twentieth of the time."""
        wait = first
        while not self._halt.wait(wait):
            began = time.monotonic()
            try:
                count()
            except StoreError as error:
                log.debug("the failures of the run cannot be counted: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that nobody watches must not go on
                self._halt.ask(error)
            wait = max(seconds, 20 * (time.monotonic() - began))

    def _check_threshold(self) -> None:
        rule = self._run.spec.stop_after
        counted = self._store.outcome_counts(self._run)
        # A broken row of a manifest says nothing about VOD, and all of them are recorded before the first file is sent.
        failed = sum(n for (outcome, code), n in counted.items() if outcome == "failed" and not code.startswith("row_"))
        failed += self._store.alone_left(self._run)
        if not failed:
            return
        total = failed + sum(
            n for (outcome, _), n in counted.items() if outcome in ("registered", "already_registered")
        )
        if total >= rule.min_outcomes and failed > rule.failure_rate * total:
            self._halt.ask(
                _passed(
                    f"{failed:,} of {total:,} files failed, more than the {rule.failure_rate:.0%} that", "failure_rate"
                )
            )
        elif rule.failures is not None and failed > rule.failures:
            self._halt.ask(_passed(f"{failed:,} files failed, more than the {rule.failures:,} that", "failures"))


def _passed(counted: str, setting: str) -> ThresholdPassed:
    return ThresholdPassed(
        f"{counted} `stop_after.{setting}` allows; the rest stays pending. See the report for the reasons, then run again (with mode failed for "
        "the failed ones)",
        code="threshold",
    )
