"""Whether a worker may still act on what it holds, by its own clock, and the wrapper that heeds it.

A worker is alive by its lease alone. It renews the lease every third of it, and stops sending a quarter before the end, so that
no call is in flight when another worker may claim the same objects. If the lease lapsed all the same (the database was away, or
the process stood still), some objects may be held by another worker now: from then on the database is asked before each call.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence

from vod_migrate.media import Batch, Outcome, Reply, Verdict
from vod_migrate.register.registrar import Registrar

log = logging.getLogger(__name__)

_SAFE_PART = 0.75


class Lease:
    """A worker's lease of so many seconds, as far as its own clock knows; shared by its threads."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._renewed = time.monotonic()
        self._lapses = 0
        self._known = threading.local()

    def renewed(self, asked: float) -> None:
        """The database renewed it; asked: time.monotonic() before it was asked to."""
        with self._lock:
            self._lapses += time.monotonic() - self._renewed >= self.seconds
            self._renewed = asked

    def holds(self) -> bool:
        """Whether a call may begin now."""
        return time.monotonic() - self._renewed < _SAFE_PART * self.seconds

    def lapsed(self) -> bool:
        """Whether it ever ended, so that other workers may hold what this one claimed before. This thread is going to look."""
        self._known.lapses = self._lapses
        return self._lapses > 0

    def holds_since(self) -> bool:
        """Whether a call may begin now, and the lease has not ended since this thread asked `lapsed`: it may have waited for long."""
        return self.holds() and self._known.lapses == self._lapses


class Fenced:
    """Leaves out of a batch what another worker holds now; its outcome here is unknown, and for that worker to record."""

    def __init__(
        self,
        inner: Registrar,
        lease: Lease,
        *,
        renew: Callable[[], None],
        still_held: Callable[[Sequence[str]], Collection[str]],
    ) -> None:
        """renew: renews the lease, or halts the worker; still_held: which of some keys it still holds."""
        self._inner = inner
        self._lease = lease
        self._renew = renew
        self._still_held = still_held

    def register(self, batch: Batch) -> Reply:
        """Sends what is held, or nothing at all."""
        if not self._lease.holds():
            self._renew()
        if not self._lease.lapsed():
            return self._inner.register(batch)
        held = self._still_held([entry.key for entry in batch.entries])
        kept = tuple(entry for entry in batch.entries if entry.key in held)
        if len(kept) == len(batch):
            return self._inner.register(batch)
        lost = [
            Outcome(
                key=entry.key,
                verdict=Verdict.UNKNOWN,
                code="not_held",
                message="another worker holds this file now",
            )
            for entry in batch.entries
            if entry.key not in held
        ]
        log.info("%d of %d files of a call are held by another worker now", len(lost), len(batch))
        if not kept:
            return Reply(request_id=None, outcomes=tuple(lost))
        reply = self._inner.register(Batch(storage_address=batch.storage_address, entries=kept))
        return Reply(request_id=reply.request_id, outcomes=(*reply.outcomes, *lost))
