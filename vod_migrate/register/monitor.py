"""Watches over a worker while it sends: must the run end, is the worker's place still its own, do too many files fail.

Two threads, so that counting, which takes longer the larger a run is, never delays a pause.
"""

from __future__ import annotations

import logging
import threading
import time

from vod_migrate.errors import Interrupted, StoreError, ThresholdPassed
from vod_migrate.register.context import WorkerContext
from vod_migrate.results.claims import LEASE_SECONDS
from vod_migrate.results.stop import sending_stops_at, stop_sending_reason

log = logging.getLogger(__name__)


class RunMonitor:
    """What one worker has to know besides its objects."""

    def __init__(self, context: WorkerContext) -> None:
        self._store = context.store
        self._run = context.run
        self._token = context.token
        self._presence = context.presence
        self._halt = context.halt
        self._deadline = context.deadline
        self._timings = context.timings
        self._scopes: tuple[str, ...] = ()
        self._next_place = 0.0

    @property
    def scopes(self) -> tuple[str, ...]:
        """The rate limits of the run and of its migration, as they are now."""
        return self._scopes

    def threads(self) -> list[threading.Thread]:
        """The threads that watch until the worker halts; not started yet."""
        return [threading.Thread(target=work, daemon=True) for work in (self._look_on, self._look_after)]

    def look(self, *, patience: float | None = 0.0) -> None:
        """Asks the worker to halt where the run is to end, and sees when it will be. patience: for a database that is away.

        Raises:
            StoreUnreachable
        """
        asked = time.monotonic()
        told = self._store.signal(self._run.run_id, patience=patience)
        if told.state == "succeeded":
            # A sibling has seen the end of the work, and nothing was left.
            self._halt.ask(None)
            return
        why = stop_sending_reason(self._run, told)
        if why is not None:
            self._halt.ask(why)
            return
        self._scopes = told.scopes
        end = sending_stops_at(self._run, told.now)
        if end is not None:
            self._deadline.set(asked + (end.at - told.now).total_seconds(), end.why)

    def keep_place(self) -> None:
        """Renews the lease, at most every second: an idle worker may have lost what it waits for to somebody else.

        Raises:
            StoreUnreachable
        """
        now = time.monotonic()
        if now >= self._next_place:
            self._next_place = now + self._timings.signal
            if not self._store.renew(self._token):
                self._halt.ask(Interrupted("another worker took this one's place", code="replaced"))

    def _look_on(self) -> None:
        while not self._halt.wait(self._timings.signal):
            try:
                self.look()
            except StoreError as error:
                log.debug("the run cannot be looked at: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that nobody watches must not go on
                self._halt.ask(error)

    def _look_after(self) -> None:
        renewed = counted = time.monotonic()
        while not self._halt.wait(self._timings.signal):
            try:
                now = time.monotonic()
                if now >= counted:
                    self._check_threshold()
                    # Counting grows with the run; it must never take more than a twentieth of the time.
                    counted = time.monotonic() + 20 * (time.monotonic() - now)
                self._presence.keep_now_and_then(self._timings.presence)
                if now - renewed >= LEASE_SECONDS / 3:
                    self.keep_place()
                    self._store.show_life(self._run.run_id)
                    renewed = now
            except StoreError as error:
                if not self._halt.asked:
                    log.warning("the lease of a worker could not be renewed: %s", error)
            except Exception as error:  # noqa: BLE001 - a worker that nobody watches must not go on
                self._halt.ask(error)

    def _check_threshold(self) -> None:
        rule = self._run.spec.stop_after
        stored = self._store.run(self._run.run_id)
        told = self._store.outcome_counts(stored)
        if not told.get("failed") and not told.get("retry"):
            return
        # A broken row of a manifest says nothing about VOD, and all of them are recorded before the first file is sent.
        broken = 0 if self._run.spec.source.listed else self._store.broken_rows(stored)
        failed = told.get("failed", 0) - broken + self._store.alone_left(self._run.run_id)
        total = failed + told.get("registered", 0) + told.get("already_registered", 0)
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
        f"{counted} `stop_after.{setting}` allows; the rest stays pending. See the report for the reasons, then run again (mode failed for "
        "the failed ones)",
        code="threshold",
    )
