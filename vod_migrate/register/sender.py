"""The sending side of a worker: many threads, each takes a batch and sees it through every wrapper."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Sequence

from vod_migrate.errors import Interrupted, RequestRefused
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.fence import Fenced
from vod_migrate.register.limiter import Guarded, Limited
from vod_migrate.register.pause import PauseLimited
from vod_migrate.register.recorder import Recorded
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.retry import Retried
from vod_migrate.register.send_queue import SendQueue, StopRequest
from vod_migrate.register.split import Split
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.work import Settlement, Work

log = logging.getLogger(__name__)

GLANCE_SECONDS = 0.25
PROBED_OBJECTS = 3


class Sender:
    """What the sending threads of one worker share."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        token: uuid.UUID,
        worker: str,
        client: Registrar,
        hand: SendQueue,
        halt: StopRequest,
        pace: RateLimiter,
        breaker: Breaker,
        braked: Callable[[Registrar], PauseLimited],
        described: Callable[[Sequence[Work]], list[Entry]],
        address: str,
        heard: Callable[[Reply], None],
    ) -> None:
        """braked: puts the run's brakes around a registrar; described: makes claimed results ready to send; heard: is told each reply."""
        self._store = store
        self._run = run
        self._token = token
        self._worker = worker
        self._client = client
        self._hand = hand
        self._halt = halt
        self._pace = pace
        self._breaker = breaker
        self._braked = braked
        self._described = described
        self._address = address
        self._heard = heard
        self._answered = threading.Event()
        self._proven = False

    def send(self, *, first: bool) -> None:
        """The work of one thread until the worker halts."""
        registrar = self._registrar()
        # The first call sets up what all share (the SDK's session and TLS context); were the others already waiting behind
        # it, they would leave in one bunch, and the service would throttle it.
        while not first and not self._answered.wait(GLANCE_SECONDS):
            if self._halt.asked:
                return
        while not self._halt.asked:
            batch = self._hand.take(GLANCE_SECONDS)
            if batch is None:
                continue
            try:
                self._heard(registrar.register(batch))
                self._proven = True
            except Interrupted:
                return
            except BaseException as error:
                log.debug("a sending thread ends", exc_info=True)
                self._halt.ask(error)
            finally:
                self._answered.set()
                self._hand.done()

    def _registrar(self) -> Registrar:
        recorded = Recorded(
            _Tracked(self._client, self._hand),
            store=self._store,
            run_id=self._run.run_id,
            token=self._token,
            worker=self._worker,
        )
        fenced = Fenced(self._braked(recorded), holdings=self._store, token=self._token)
        guarded = Guarded(Limited(fenced, self._pace, self._breaker), self._breaker)
        return Split(
            Retried(guarded, clock=self._pace.clock, breaker=self._breaker),
            fail=self._fail,
            proven=self._settings_proven,
            probe=self._probe,
        )

    def _probe(self, registrar: Registrar) -> bool:
        """Whether a file from the far end of the backlog is accepted, when all those in hand are refused."""
        batch = self._hand.take_last()
        if batch is not None:
            tried = batch.entries[-PROBED_OBJECTS:]
            accepted = next((entry for entry in tried if self._accepted(registrar, entry)), None)
            rest = tuple(entry for entry in batch.entries if entry is not accepted)
            self._hand.put([Batch(storage_address=batch.storage_address, entries=rest)] if rest else [])
            return accepted is not None
        works = self._store.claim_last(self._run.run_id, self._token, most=PROBED_OBJECTS)
        entries = self._described(works)
        accepted = next((entry for entry in entries if self._accepted(registrar, entry)), None)
        self._store.release(self._token, [entry.result_id for entry in entries if entry is not accepted])
        return accepted is not None

    def _accepted(self, registrar: Registrar, entry: Entry) -> bool:
        try:
            registrar.register(Batch(storage_address=self._address, entries=(entry,)))
        except RequestRefused:
            return False
        return True

    def _settings_proven(self) -> bool:
        return self._proven or self._store.any_registered(self._run.run_id)

    def _fail(self, failures: Sequence[Settlement]) -> None:
        self._store.record_failures(self._run.run_id, self._token, failures)


class _Tracked:
    """Knows which files are in a call right now, for the moment of stopping."""

    def __init__(self, inner: Registrar, hand: SendQueue) -> None:
        self._inner = inner
        self._hand = hand

    def register(self, batch: Batch) -> Reply:
        """Sends while counted as in flight."""
        with self._hand.flying(batch):
            return self._inner.register(batch)
