"""The feeding side of a worker, one thread: claim → describe → batch, and what to do when nothing is claimable."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from vod_migrate.errors import Interrupted, VodMigrateError
from vod_migrate.media import Batch, Entry, Rejected
from vod_migrate.register.batcher import Batcher
from vod_migrate.register.canary import Canary
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.recorder import settle_rejected
from vod_migrate.results.work import Settlement, Work

log = logging.getLogger(__name__)

CLAIM_OBJECTS = 500
ADOPTED_OBJECTS = 20_000
"""Left by earlier runs and adopted in one statement: 40 s of sending at the full quota, less than a second of updating."""
DESCRIBING_THREADS = 16
"""Where each description costs a request: 16 keep up with the full quota at 30 ms each."""


class Feeder:
    """Keeps the hand of one worker full until nothing is left."""

    def __init__(self, context: WorkerContext, *, keep_place: Callable[[], None]) -> None:
        """keep_place: renews the worker's lease."""
        self._context = context
        self._store = context.store
        self._run = context.run
        self._token = context.token
        self._describer = context.describer
        self._hand = context.hand
        self._halt = context.halt
        self._timings = context.timings
        self._keep_place = keep_place
        rules = context.run.spec.register_
        self._batcher = Batcher(
            max_request_bytes=rules.max_request_bytes,
            user_data="" if rules.user_data is None else rules.user_data.as_json(),
        )
        self.canary = Canary(context, batches=self._canary_batches)
        self._idle_since: float | None = None
        self._taking_over: threading.Thread | None = None

    def run(self) -> None:
        """Feeds until nothing is left, or the worker halts.

        Raises:
            AccountStopped: what a description asks for is denied. CanaryFailed. Interrupted: the worker halts. StoreUnreachable.
        """
        try:
            while not self._halt.asked:
                if not self._context.may_send():
                    self._wait_to_send()
                elif self._hand.waiting >= self._run.spec.register_.threads or self.canary.holds_back():
                    self._halt.wait(self._timings.idle / 2)
                elif works := self._claimed():
                    self._idle_since = None
                    if self.canary.took(works):
                        self._halt.wait(self._timings.idle / 2)
                    else:
                        self._hand.put(self._batcher.add(self._describer.storage_address, self.described(works)))
                elif self._done():
                    return
        finally:
            self.canary.close()

    def _claimed(self) -> list[Work]:
        return self._store.claim(self._run.run_id, self._token, most=self.canary.pool or CLAIM_OBJECTS)

    def _canary_batches(self, works: Sequence[Work]) -> list[Batch]:
        # Nothing waits in the batcher before the canary is over.
        return [*self._batcher.add(self._describer.storage_address, self.described(works)), *self._batcher.flush()]

    def described(self, works: Sequence[Work]) -> list[Entry]:
        """What can be sent of these; what cannot is recorded as failed."""
        entries: list[Entry] = []
        refused: list[Settlement] = []
        for work, described in zip(works, self._describe(works), strict=True):
            if isinstance(described, Rejected):
                refused.append(settle_rejected(work, described))
            else:
                entries.append(described)
        if refused:
            self._store.record_failures(self._run.run_id, self._token, refused)
        return entries

    def _describe(self, works: Sequence[Work]) -> list[Entry | Rejected]:
        def one(work: Work) -> Entry | Rejected:
            if self._halt.asked:
                raise Interrupted("the worker was told to stop", code="interrupted")
            return self._describer.describe(
                work.object,
                result_id=work.result_id,
                attempts=work.attempts,
                no_answers=work.no_answers,
                row=work.object.row,
            )

        if not self._describer.waits:
            return [one(work) for work in works]
        with ThreadPoolExecutor(DESCRIBING_THREADS) as pool:
            return list(pool.map(one, works))

    def _done(self) -> bool:
        """What to do when nothing is claimable: adopt, wait, flush, take over, try alone; True when nothing is left."""
        if self._run.goes_on and self._store.adopt_pending(self._run, most=ADOPTED_OBJECTS):
            return False
        open_scans, waiting, alone = self._store.work_left(self._run.run_id)
        self._idle_since = self._idle_since or time.monotonic()
        in_hand = self._hand.busy or len(self._batcher)
        if waiting and not in_hand and self._store.release_lost(self._token):
            return False
        if open_scans:
            self._wait_for_discovery(time.monotonic() - self._idle_since)
        elif len(self._batcher):
            self._hand.put(self._batcher.flush())
            return False
        elif not waiting and not in_hand:
            if not alone:
                return True
            if self._try_alone():
                return False
        self._keep_place()
        self._halt.wait(self._timings.idle)
        return False

    def _wait_to_send(self) -> None:
        self._idle_since = self._idle_since or time.monotonic()
        self._wait_for_discovery(time.monotonic() - self._idle_since)
        self._keep_place()
        self._halt.wait(self._timings.idle)

    def _wait_for_discovery(self, idle: float) -> None:
        if idle >= self._timings.partial:
            self._hand.put(self._batcher.flush())
        if idle >= self._timings.take_over:
            self._idle_since = None
            self._list_what_nobody_lists()

    def _try_alone(self) -> bool:
        works = self._store.claim(self._run.run_id, self._token, most=self._run.spec.register_.threads, alone=True)
        address = self._describer.storage_address
        self._hand.put(Batch(storage_address=address, entries=(entry,)) for entry in self.described(works))
        return bool(works)

    def _list_what_nobody_lists(self) -> None:
        if self._taking_over is None or not self._taking_over.is_alive():
            self._taking_over = threading.Thread(target=self._take_over_quietly, daemon=True)
            self._taking_over.start()

    def _take_over_quietly(self) -> None:
        try:
            self._context.take_over(self._halt.event)
        except Interrupted:
            return
        except VodMigrateError as error:
            log.warning("listing in place of the discover task failed: %s", error)
        except BaseException as error:  # noqa: BLE001 - handed to the worker
            self._halt.ask(error)
