"""Watches over a worker while it sends: must the run end, is the worker's place still its own, do too many files fail.

Three threads, so that counting, which takes longer the larger a run is, never delays a pause or a lease.
"""

from __future__ import annotations

import logging
import threading
import time

from vod_migrate.errors import Interrupted, StoreError, ThresholdPassed
from vod_migrate.register.context import WorkerContext
from vod_migrate.results.stop import sending_stops_at, stop_sending_reason

log = logging.getLogger(__name__)


class RunMonitor:
    """What one worker has to know besides its objects."""

    def __init__(self, context: WorkerContext) -> None:
        self._store = context.store
        self._run = context.run
        self._place = context.place
        self._lease = context.lease
        self._halt = context.halt
        self._deadline = context.deadline
        self._timings = context.timings
        self._scopes: tuple[str, ...] = ()
        self._next_renewal = 0.0

    @property
    def scopes(self) -> tuple[str, ...]:
        """The rate limits of the run and of its migration, as they are now."""
        return self._scopes

    def threads(self) -> list[threading.Thread]:
        """The threads that watch until the worker halts; not started yet."""
        return [threading.Thread(target=work, daemon=True) for work in (self._look_on, self._keep_place, self._count)]

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
        self._scopes = signal.scopes
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

    def _count(self) -> None:
        wait = self._timings.signal
        while not self._halt.wait(wait):
            began = time.monotonic()
            try:
                self._check_threshold()
            except StoreError as error:
                log.debug("the failures of the run cannot be counted: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that nobody watches must not go on
                self._halt.ask(error)
            # Counting grows with the run; it must never take more than a twentieth of the time.
            wait = max(self._timings.signal, 20 * (time.monotonic() - began))

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
