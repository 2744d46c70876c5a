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
from vod_migrate.shutdown import Clock

_GLANCE_SECONDS = 0.05


class CallsLimited:
    """Makes as many calls as the run's `pause_after.calls` allows, and then ends the run."""

    def __init__(self, inner: Registrar, store: Store, run: Run, *, clock: Clock) -> None:
        self._inner = inner
        self._store = store
        self._run = run
        self._most = run.pause_after.calls
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way = self._unused = 0
        self._used_up = False

    def register(self, batch: Batch) -> Reply:
        """Sends the batch.

        Raises:
            BrakeReached: no more calls may be made, and those that were counted have been.
        """
        if self._most is None:
            return self._inner.register(batch)
        while not self._counted(self._most):
            self._clock.sleep(_GLANCE_SECONDS)
        made = 1
        try:
            return self._inner.register(batch)
        except RegisterError:
            raise
        except BaseException:
            # The breaker opened before the call, or the worker halts.
            made = 0
            raise
        finally:
            with self._lock:
                self._under_way -= 1
                self._unused += 1 - made

    def _counted(self, most: int) -> bool:
        """Whether a call may be made; False: whether it may is not known before another one is through."""
        with self._lock:
            if self._unused:
                self._unused -= 1
                self._under_way += 1
                return True
            if self._used_up:
                if self._under_way:
                    return False
                raise limit_reached(f"{most:,} calls")
        counted = self._store.take_call(self._run, most=most)
        with self._lock:
            self._used_up |= not counted
            self._under_way += counted
        return counted


def limit_reached(what: str) -> BrakeReached:
    """What ends a run that has reached its limit. what: the limit, in words."""
    return BrakeReached(f"the run has reached the limit of {what} in `pause_after`", code="pause_after")
