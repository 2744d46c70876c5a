"""The limits of a run at the last moment before a call: its window, its minutes, how many calls and objects it may send.

All workers of a run count in one row of the results database, so that together they send exactly as many objects as
`pause_after.objects` says, however many threads and machines they are. An object counts once a run, however often it is sent; a call
counts each time. A worker that is killed between counting and recording costs the run what it had in flight, and never adds
to it.
"""

from __future__ import annotations

from vod_migrate.errors import BrakeReached, Interrupted
from vod_migrate.media import Batch, Reply
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.registrar import Registrar


class PauseLimited:
    """Sends what the run's `pause_after` still allows, and then ends the run."""

    def __init__(self, inner: Registrar, context: WorkerContext) -> None:
        self._inner = inner
        self._context = context
        self._limits = context.run.pause_after
        self._counted: set[int] = set()

    def register(self, batch: Batch) -> Reply:
        """Sends the batch, or as much of it as `pause_after.objects` still allows.

        Raises:
            BrakeReached: nothing more may be sent; what was sent of the batch is recorded. WindowClosed. Interrupted.
        """
        over = self._context.deadline.passed()
        if over is not None:
            raise over
        if self._context.halt.asked:
            raise Interrupted("the worker was told to stop", code="interrupted")
        if self._limits.calls is None and self._limits.objects is None:
            return self._inner.register(batch)
        allowed = self._allowed(batch)
        reply = self._inner.register(allowed)
        # Answered: from here on the outcomes say that they were sent in this run.
        self._counted.difference_update(entry.result_id for entry in allowed.entries)
        if len(allowed) < len(batch):
            raise self._reached("objects")
        return reply

    def _allowed(self, batch: Batch) -> Batch:
        ids = [entry.result_id for entry in batch.entries]
        fresh = [result_id for result_id in ids if result_id not in self._counted]
        taken = self._context.store.take_brake(
            self._context.run.run_id,
            fresh=fresh,
            others=len(ids) - len(fresh),
            max_calls=self._limits.calls,
            max_objects=self._limits.objects,
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
        most = getattr(self._limits, limit)
        what = "sent" if limit == "objects" else "made"
        return BrakeReached(f"the run has {what} the {most:,} {limit} that `pause_after` allows", code="brake")
