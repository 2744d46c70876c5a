"""The sending side of a worker: many threads, each takes a batch and sees it through the chain of wrappers."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Sequence

from vod_migrate.errors import Interrupted, RequestRefused
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.chain import chain
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.registrar import Registrar

log = logging.getLogger(__name__)

PROBED_OBJECTS = 3


class Sender:
    """What the sending threads of one worker share."""

    def __init__(
        self,
        context: WorkerContext,
        rate: RateLimiter,
        *,
        renew: Callable[[], None],
        far_end: Callable[[int], Sequence[Entry]],
        received: Callable[[Reply], None],
    ) -> None:
        """renew: renews the lease; far_end: gives some entries from the end of the backlog; received: is given each reply."""
        self._context = context
        self._far_end = far_end
        self._received = received
        self._proof = SendProof(context, far_end)
        self._chain = chain(context, rate, renew=renew, accepted=self._proof.accepted, proof=self._proof)

    def send(self) -> None:
        """The work of one thread until the worker halts."""
        hand, halt = self._context.hand, self._context.halt
        while (batch := hand.take()) is not None:
            try:
                self._received(self._chain.register(batch))
            except Interrupted:
                return
            except BaseException as error:
                log.debug("a sending thread ends", exc_info=True)
                halt.ask(error)
                return
            finally:
                hand.done()


class SendProof:
    """Whether the settings are right while files are refused, from what this worker and its siblings send."""

    def __init__(self, context: WorkerContext, far_end: Callable[[int], Sequence[Entry]]) -> None:
        self._context = context
        self._far_end = far_end
        self._lock = threading.Lock()
        self._accepted_at = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._accepted: Entry | None = None

    def accepted(self, batch: Batch, began: dt.datetime) -> None:
        """VOD accepted a call that began then."""
        with self._lock:
            self._accepted_at = max(self._accepted_at, began)
            self._accepted = batch.entries[-1]

    def accepted_since(self, moment: dt.datetime) -> bool:
        """Whether VOD accepted a call of the run that began after a moment."""
        return self._accepted_at > moment or self._context.store.accepted_since(self._context.run, moment)

    def probe(self, registrar: Registrar) -> bool:
        """Whether VOD accepts a file from the far end of the backlog, or once more one that it accepted before."""
        hand = self._context.hand
        batch = hand.take_last()
        if batch is not None:
            tried, rest = batch.entries[-PROBED_OBJECTS:], batch.entries[:-PROBED_OBJECTS]
        else:
            tried, rest = tuple(self._far_end(PROBED_OBJECTS)), ()
        accepted = next((entry for entry in tried if self._is_accepted(registrar, entry)), None)
        left = (*rest, *(entry for entry in tried if entry is not accepted))
        hand.put([self._batch(*left)] if left else [])
        # VOD answers with the same MediaId when a file is sent again, so this changes nothing.
        return accepted is not None or (self._accepted is not None and self._is_accepted(registrar, self._accepted))

    def _is_accepted(self, registrar: Registrar, entry: Entry) -> bool:
        try:
            registrar.register(self._batch(entry))
        except RequestRefused:
            return False
        return True

    def _batch(self, *entries: Entry) -> Batch:
        return Batch(storage_address=self._context.describer.storage_address, entries=entries)
