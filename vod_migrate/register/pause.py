"""The limits of a run at the last moment before a call: its window, its time, how many calls and objects it may send.

    Limited(Braked(Recorded(RegisterMediaClient)))

All workers of a run count in one row of the results database, so that together they send exactly as many objects as
`pause_after.objects` says, however many threads and machines they are. An object counts once a run, however often it is sent; a call
counts each time. A worker that is killed between counting and recording costs the run what it had in flight, never adds to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vod_migrate.errors import BrakeReached, Interrupted, VodMigrateError
from vod_migrate.media import Batch, Reply
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store


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


class PauseLimited:
    """Sends what the run's `pause_after` still allows, and then ends the run; one is shared by the threads of a worker."""

    def __init__(
        self, inner: Registrar, *, store: Store, run: Run, deadline: Deadline, halted: threading.Event
    ) -> None:
        self._inner = inner
        self._store = store
        self._run = run
        self._deadline = deadline
        self._halted = halted
        self._counted: set[int] = set()

    def register(self, batch: Batch) -> Reply:
        """Sends the batch, or as much of it as `pause_after.objects` still allows.

        Raises:
            BrakeReached: no more may be sent; what was sent of the batch is recorded. WindowClosed. Interrupted.
        """
        over = self._deadline.passed()
        if over is not None:
            raise over
        if self._halted.is_set():
            raise Interrupted("the worker was told to stop", code="interrupted")
        if self._run.pause_after.calls is None and self._run.pause_after.objects is None:
            return self._inner.register(batch)
        allowed = self._allowed(batch)
        reply = self._inner.register(allowed)
        # Answered: from here on the outcomes say that they were sent in this run.
        self._counted.difference_update(entry.result_id for entry in allowed.entries)
        if len(allowed) < len(batch):
            raise self._reached("objects")
        return reply

    def _allowed(self, batch: Batch) -> Batch:
        limits, ids = self._run.pause_after, [entry.result_id for entry in batch.entries]
        fresh = [result_id for result_id in ids if result_id not in self._counted]
        taken = self._store.take_brake(
            self._run.run_id,
            fresh=fresh,
            others=len(ids) - len(fresh),
            max_calls=limits.calls,
            max_objects=limits.objects,
        )
        if not taken.call:
            raise self._reached("calls")
        self._counted.update(taken.objects)
        beyond = set(fresh) - set(taken.objects) - set(taken.known)
        kept = tuple(entry for entry in batch.entries if entry.result_id not in beyond)
        if not kept:
            raise self._reached("objects")
        return Batch(storage_address=batch.storage_address, entries=kept)

    def _reached(self, limit: str) -> BrakeReached:
        most = getattr(self._run.pause_after, limit)
        what = "sent" if limit == "objects" else "made"
        return BrakeReached(f"the run has {what} the {most:,} {limit} that `pause_after` allows", code="brake")
