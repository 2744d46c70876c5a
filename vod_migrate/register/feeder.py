"""The feeding side of a worker, one thread: claim → describe → batch, and what to do when nothing is claimable."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vod_migrate.errors import Interrupted, VodMigrateError
from vod_migrate.media import Batch, Entry, Rejected
from vod_migrate.register.aside import Aside
from vod_migrate.register.batcher import Batcher
from vod_migrate.register.canary import Canary
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.first_objects import FirstObjects
from vod_migrate.register.pause import limit_reached
from vod_migrate.register.recorder import settle_rejected
from vod_migrate.results.work import Claimed, Work

log = logging.getLogger(__name__)

CLAIM_OBJECTS = 500
DESCRIBING_THREADS = 16
"""Where each description costs a request: 16 keep up with the full quota at 30 ms each."""


class Feeder:
    """Keeps the hand of one worker full until nothing is left."""

    def __init__(self, context: WorkerContext, *, renew: Callable[[], None]) -> None:
        """renew: renews the worker's lease."""
        self._context = context
        self._store = context.store
        self._run = context.run
        self._describer = context.describer
        self._hand = context.hand
        self._halt = context.halt
        self._timings = context.timings
        self._renew = renew
        self._batcher = self._new_batcher()
        self._aside = Aside(lambda: self._claim(most=1, last=True).works)
        self.canary = Canary(context, batches=self._in_batches, aside=self._aside)
        self._first = FirstObjects(
            context,
            put=lambda works: self._hand.put(self._in_batches(works)),
            aside=self._aside,
            wait_for_listing=self._wait_for_discovery,
        )
        self._claiming = threading.Lock()
        self._blocks: tuple[int, ...] = ()
        self._idle_since: float | None = None
        self._taking_over: threading.Thread | None = None

    def run(self) -> None:
        """Feeds until nothing is left, or the worker halts.

        Raises:
            AccountStopped: what a description asks for is denied. CanaryFailed. Interrupted: the worker halts. StoreUnreachable.
            BrakeReached: the run has sent as many objects as it may. FirstFailed, FirstReached.
        """
        while not self._halt.asked:
            if self._hand.waiting >= self._run.spec.register_.threads or self.canary.holds_back():
                self._halt.wait(self._timings.idle / 2)
            elif not self.canary.pool and self._first.hold_back():
                self._halt.wait(self._timings.idle)
            elif waiting := self._aside.take():
                self._put(waiting)
            elif (claimed := self._claim(most=self.canary.pool or CLAIM_OBJECTS)).works:
                self._idle_since = None
                if self.canary.took(claimed.works):
                    self._halt.wait(self._timings.idle / 2)
                else:
                    self._put(claimed.works)
            elif self._done(limited=claimed.limited):
                return

    def far_end(self, most: int) -> Sequence[Entry]:
        """Some entries from the far end of the backlog."""
        return self._described(self._aside.far_end(most))

    def _claim(self, *, most: int, alone: bool = False, last: bool = False) -> Claimed:
        with self._claiming:
            claimed = self._store.claim(
                self._run,
                self._context.place,
                most=most,
                known=self._blocks,
                alone=alone,
                last=last,
                max_objects=self._run.pause_after.objects,
            )
            self._blocks = claimed.blocks
        return claimed

    def _put(self, works: Sequence[Work]) -> None:
        self._hand.put(self._batcher.add(self._described(works)))

    def _in_batches(self, works: Sequence[Work]) -> list[Batch]:
        batcher = self._new_batcher()
        return [*batcher.add(self._described(works)), *batcher.flush()]

    def _new_batcher(self) -> Batcher:
        return Batcher(self._run.spec.register_, storage_address=self._describer.storage_address)

    def _described(self, works: Sequence[Work]) -> list[Entry]:
        """What can be sent of these; what cannot is recorded as failed."""
        entries: list[Entry] = []
        rejected = []
        for work, described in zip(works, self._describe(works), strict=True):
            if isinstance(described, Rejected):
                rejected.append(settle_rejected(work, described))
            else:
                entries.append(described)
        if rejected:
            self._context.ledger.record(None, rejected)
        return entries

    def _describe(self, works: Sequence[Work]) -> list[Entry | Rejected]:
        def one(work: Work) -> Entry | Rejected:
            if self._halt.asked:
                raise Interrupted("the worker was stopped", code="interrupted")
            return self._describer.describe(work.object, attempts=work.attempts, no_answers=work.no_answers)

        if not self._describer.waits:
            return [one(work) for work in works]
        with ThreadPoolExecutor(DESCRIBING_THREADS) as pool:
            return list(pool.map(one, works))

    def _done(self, *, limited: bool) -> bool:
        """What to do when nothing is claimable: wait, flush, take over, try alone; True when nothing is left.

        limited: the run may claim no further objects.
        """
        left = self._store.work_left(self._run)
        in_hand = self._hand.busy or len(self._batcher)
        if limited:
            if not in_hand and not left.taken:
                raise limit_reached(f"{self._run.pause_after.objects:,} objects")
            self._hand.put(self._batcher.flush())
        elif left.open_scans:
            self._wait_for_discovery()
        elif len(self._batcher):
            self._hand.put(self._batcher.flush())
            return False
        elif not in_hand:
            if left.waiting:
                # Should any of it be under this worker's own token, it is claimed again.
                self._blocks = ()
            elif not left.alone:
                return True
            elif self._try_alone():
                return False
        self._renew()
        self._halt.wait(self._timings.idle)
        return False

    def _wait_for_discovery(self) -> None:
        self._idle_since = self._idle_since or time.monotonic()
        idle = time.monotonic() - self._idle_since
        if idle >= self._timings.partial:
            self._hand.put(self._batcher.flush())
        if idle >= self._timings.take_over:
            self._idle_since = None
            self._list_what_nobody_lists()

    def _try_alone(self) -> bool:
        works = self._claim(most=self._run.spec.register_.threads, alone=True).works
        address = self._describer.storage_address
        self._hand.put(Batch(storage_address=address, entries=(entry,)) for entry in self._described(works))
        return bool(works)

    def _list_what_nobody_lists(self) -> None:
        if self._taking_over is None or not self._taking_over.is_alive():
            self._taking_over = threading.Thread(target=self._take_over_quietly, daemon=True)
            self._taking_over.start()

    def _take_over_quietly(self) -> None:
        try:
            self._context.take_over(self._context.place, self._halt.event)
        except Interrupted:
            return
        except VodMigrateError as error:
            log.warning("listing in place of the discover task failed: %s", error)
        except BaseException as error:  # noqa: BLE001 - handed to the worker
            self._halt.ask(error)
