"""The sending side of a worker: many threads, each takes a batch and sees it through the chain of wrappers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from vod_migrate.errors import Interrupted, RequestRefused
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.chain import chain
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.work import Work

log = logging.getLogger(__name__)

PROBED_OBJECTS = 3


class Sender:
    """What the sending threads of one worker share."""

    def __init__(
        self,
        context: WorkerContext,
        rate: RateLimiter,
        *,
        described: Callable[[Sequence[Work]], list[Entry]],
        received: Callable[[Reply], None],
    ) -> None:
        """described: makes claimed results ready to send; received: is given each reply."""
        self._context = context
        self._described = described
        self._received = received
        self._chain = chain(context, rate, proven=self._settings_proven, probe=self._probe)
        self._proven = False

    def send(self) -> None:
        """The work of one thread until the worker halts."""
        hand, halt = self._context.hand, self._context.halt
        while (batch := hand.take()) is not None:
            try:
                self._received(self._chain.register(batch))
                self._proven = True
            except Interrupted:
                return
            except BaseException as error:
                log.debug("a sending thread ends", exc_info=True)
                halt.ask(error)
                return
            finally:
                hand.done()

    def _probe(self, registrar: Registrar) -> bool:
        """Whether a file from the far end of the backlog is accepted, when all those in hand are refused."""
        store, hand, token = self._context.store, self._context.hand, self._context.token
        batch = hand.take_last()
        if batch is not None:
            tried = batch.entries[-PROBED_OBJECTS:]
            accepted = next((entry for entry in tried if self._accepted(registrar, entry)), None)
            rest = tuple(entry for entry in batch.entries if entry is not accepted)
            hand.put([Batch(storage_address=batch.storage_address, entries=rest)] if rest else [])
            return accepted is not None
        works = store.claim_last(self._context.run.run_id, token, most=PROBED_OBJECTS)
        entries = self._described(works)
        accepted = next((entry for entry in entries if self._accepted(registrar, entry)), None)
        store.release(token, [entry.result_id for entry in entries if entry is not accepted])
        return accepted is not None

    def _accepted(self, registrar: Registrar, entry: Entry) -> bool:
        address = self._context.describer.storage_address
        try:
            registrar.register(Batch(storage_address=address, entries=(entry,)))
        except RequestRefused:
            return False
        return True

    def _settings_proven(self) -> bool:
        return self._proven or self._context.store.any_registered(self._context.run.run_id)
