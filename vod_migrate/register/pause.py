"""How many calls a run may make: counted in the database before each call, for all of its workers together.

How many objects it may send is counted when they are claimed. A worker that is killed between counting and calling costs the run
a call, and never adds one.
"""

from __future__ import annotations

import threading

from vod_migrate.errors import BrakeReached, RegisterError
from vod_migrate.media import Batch, Reply
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store


class CallsLimited:
    """Makes as many calls as the run's `pause_after.calls` allows, and then ends the run."""

    def __init__(self, inner: Registrar, store: Store, run: Run) -> None:
        self._inner = inner
        self._store = store
        self._run = run
        self._most = run.pause_after.calls
        self._lock = threading.Lock()
        self._unused = 0

    def register(self, batch: Batch) -> Reply:
        """Sends the batch.

        Raises:
            BrakeReached: no more calls may be made.
        """
        if self._most is None:
            return self._inner.register(batch)
        if not self._reuse() and not self._store.take_call(self._run, most=self._most):
            raise limit_reached(f"made the {self._most:,} calls")
        try:
            return self._inner.register(batch)
        except RegisterError:
            raise
        except BaseException:
            # Counted, but not made: the breaker opened meanwhile, or the worker halts.
            with self._lock:
                self._unused += 1
            raise

    def _reuse(self) -> bool:
        with self._lock:
            if not self._unused:
                return False
            self._unused -= 1
            return True


def limit_reached(what: str) -> BrakeReached:
    """What ends a run that has done all that `pause_after` allows. what: it has done, in words."""
    return BrakeReached(f"the run has {what} that `pause_after` allows", code="pause_after")
