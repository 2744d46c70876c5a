"""The register worker: claim → describe → batch → pace → call → record, with many threads, until nothing is left.

It registers beside discovery: it ends when the run's scans are closed and nothing is claimable or held by a sibling. What
was refused once is tried again alone, when nothing else is left. When it stops early, whoever the reason, it lets go of what
it has not sent within seconds; the lease covers the case that it cannot even do that.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from vod_migrate.clock import StopClock
from vod_migrate.describe import Describer, Refusal
from vod_migrate.errors import (
    AccountStopped,
    AllRefused,
    Interrupted,
    RunStopped,
    StoreUnreachable,
    ThresholdPassed,
    VodMigrateError,
)
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.register.batching import Batcher
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.client import Registrar
from vod_migrate.register.quota import AccountPace
from vod_migrate.register.wrappers import Guarded, Limited, Recorded, Retried, Split
from vod_migrate.results.rows import Run, Settlement, Work
from vod_migrate.results.store import LEASE_SECONDS, Store

__all__ = ["Worker"]

log = logging.getLogger(__name__)

CLAIM_OBJECTS = 500
ADOPTED_OBJECTS = 20_000
"""Left by earlier runs and taken over in one go: 40 s of sending at the full quota, less than a second of updating."""
IDLE_SECONDS = 0.25
PARTIAL_SECONDS = 5.0
"""How long a batch that is not full waits for more objects while discovery still runs."""
TAKE_OVER_SECONDS = 10.0
"""How long a worker without work waits before it looks after a scan that nobody lists."""
LETTING_GO_SECONDS = 2.5
"""Airflow sends SIGKILL five seconds after SIGTERM; this leaves time to release the claims."""
CHECK_SECONDS = 1.0


class Worker:
    """One worker of one run."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        client: Registrar,
        describer: Describer,
        slot: str,
        stop: threading.Event,
        cap: str | None,
        take_over: Callable[[], None],
    ) -> None:
        """slot: the worker's place in its run; cap: scope of a narrower pace; take_over: lists what nobody lists."""
        self._store = store
        self._run = run
        self._client = client
        self._describer = describer
        self._slot = slot
        self._stop = stop
        self._cap = cap
        self._take_over = take_over
        self._name = f"{socket.gethostname()}:{os.getpid()}/{slot}"
        self._halt = threading.Event()
        self._clock = StopClock(self._halt)
        self._breaker = Breaker(self._clock)
        self._answered = threading.Event()
        self._queue: queue.Queue[Batch] = queue.Queue()
        self._batcher = Batcher(max_request_bytes=run.spec.register_.max_request_bytes)
        self._lock = threading.Lock()
        self._outstanding = 0
        self._in_flight: dict[int, tuple[int, ...]] = {}
        self._failure: BaseException | None = None
        self._proven = False
        self._next_check = 0.0
        self._idle_since: float | None = None
        self._token = uuid.UUID(int=0)

    def run(self) -> None:
        """Works until nothing is left.

        Raises:
            Interrupted: `stop` was set, or another worker took this one's place.
            AccountStopped, AllRefused, ThresholdPassed: the run must stop; the rest stays pending.
            StoreUnreachable: the results database stayed away longer than its patience.
        """
        with self._store.presence(self._run.run_id):
            self._token = self._store.take_place(self._run.run_id, slot=self._slot, worker=self._name)
            threads = [
                threading.Thread(target=self._send, kwargs={"first": number == 0}, daemon=True)
                for number in range(self._threads)
            ]
            threads.append(threading.Thread(target=self._renew, daemon=True))
            for thread in threads:
                thread.start()
            try:
                self._feed()
            except RunStopped as error:
                if not isinstance(error, Interrupted):
                    self._store.stop_run(self._run.run_id, code=type(error).__name__, message=str(error))
                raise
            except AccountStopped as error:
                self._store.stop_run(self._run.run_id, code=type(error).__name__, message=str(error))
                raise
            finally:
                self._let_go(threads)

    @property
    def _threads(self) -> int:
        return self._run.spec.register_.threads

    def _let_go(self, threads: Iterable[threading.Thread]) -> None:
        self._halt.set()
        until = time.monotonic() + LETTING_GO_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._lock:
            in_flight = [result_id for ids in self._in_flight.values() for result_id in ids]
        try:
            self._store.leave(self._token, in_flight=in_flight)
        except StoreUnreachable:
            log.warning("the claims of %s could not be released; their lease ends in %g s", self._name, LEASE_SECONDS)

    # The feeding side: one thread

    def _feed(self) -> None:
        while True:
            self._check()
            if self._queue.qsize() >= self._threads:
                self._stop.wait(IDLE_SECONDS / 2)
                continue
            works = self._store.claim(self._run.run_id, self._token, most=CLAIM_OBJECTS)
            if works:
                self._idle_since = None
                self._put(self._batcher.add(self._describer.storage_address, self._described(works)))
            elif self._done():
                return

    def _done(self) -> bool:
        """What to do when nothing is claimable: adopt, wait, flush, take over, try alone; True when nothing is left."""
        if self._run.adopts and self._store.adopt_pending(self._run, most=ADOPTED_OBJECTS):
            return False
        open_scans, waiting, alone = self._store.work_left(self._run.run_id)
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        idle = now - self._idle_since
        if open_scans:
            if idle >= PARTIAL_SECONDS:
                self._put(self._batcher.flush())
            if idle >= TAKE_OVER_SECONDS:
                self._idle_since = None
                self._take_over()
        elif len(self._batcher):
            self._put(self._batcher.flush())
            return False
        elif not waiting and not self._busy():
            if not alone:
                return True
            works = self._store.claim(self._run.run_id, self._token, most=self._threads, alone=True)
            for entry in self._described(works):
                self._put([Batch(storage_address=self._describer.storage_address, entries=(entry,))])
            if works:
                return False
        self._stop.wait(IDLE_SECONDS)
        return False

    def _described(self, works: Sequence[Work]) -> list[Entry]:
        entries: list[Entry] = []
        refused: list[Settlement] = []
        for work in works:
            described = self._describer.describe(
                work.object, result_id=work.result_id, attempts=work.attempts, no_answers=work.no_answers
            )
            if isinstance(described, Refusal):
                refused.append(
                    Settlement(
                        result_id=work.result_id,
                        outcome="failed",
                        state="failed",
                        code=described.code,
                        message=described.message,
                    )
                )
            else:
                entries.append(described)
        if refused:
            self._fail(refused)
        return entries

    def _put(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            with self._lock:
                self._outstanding += 1
            self._queue.put(batch)

    def _busy(self) -> bool:
        with self._lock:
            return self._outstanding > 0

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._stop.is_set():
            raise Interrupted("the worker was told to stop; what it had not sent stays pending", code="interrupted")
        now = time.monotonic()
        if now < self._next_check:
            return
        stored = self._store.run(self._run.run_id)
        if stored.stop_code is not None:
            raise RunStopped(stored.stop_message or stored.stop_code, code=stored.stop_code)
        self._check_threshold()
        # Counting grows with the run; it must never take more than a twentieth of the time.
        self._next_check = time.monotonic() + max(CHECK_SECONDS, 20 * (time.monotonic() - now))

    def _check_threshold(self) -> None:
        told = self._store.outcome_counts(self._run.run_id)
        if not told.get("failed") and not told.get("retry"):
            return
        # A broken row of a manifest says nothing about VOD, and all of them are recorded before the first file is sent.
        broken = 0 if self._run.spec.source.listed else self._store.broken_rows(self._run.run_id)
        failed = told.get("failed", 0) - broken + self._store.alone_left(self._run.run_id)
        total = failed + told.get("registered", 0) + told.get("already_registered", 0)
        rule = self._run.spec.stop
        if total >= rule.min_outcomes and failed > rule.failure_share * total:
            raise ThresholdPassed(
                f"{failed:,} of {total:,} files failed, more than the {rule.failure_share:.0%} that `stop.failure_share` "
                "allows; the rest stays pending. See the report for the reasons, then run again (mode failed for the failed "
                "ones)",
                code="threshold",
            )

    # The sending side: many threads

    def _send(self, *, first: bool) -> None:
        registrar = self._registrar()
        # The first call sets up what all share (the SDK's session and TLS context); were the others already waiting behind
        # it, they would leave in one bunch, and the service would throttle it.
        while not first and not self._answered.wait(IDLE_SECONDS):
            if self._halt.is_set():
                return
        while not self._halt.is_set():
            try:
                batch = self._queue.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                continue
            try:
                registrar.register(batch)
                self._proven = True
            except Interrupted:
                return
            except (AccountStopped, AllRefused, RunStopped) as error:
                self._failed_with(error)
            except BaseException as error:
                log.debug("a sending thread failed", exc_info=True)
                self._failed_with(error)
            finally:
                self._answered.set()
                with self._lock:
                    self._outstanding -= 1

    def _registrar(self) -> Registrar:
        recorded = Recorded(
            _Tracked(self._client, self._flying),
            store=self._store,
            run_id=self._run.run_id,
            token=self._token,
            worker=self._name,
        )
        pace = AccountPace(self._store, account=self._run.account, clock=self._clock, cap=self._cap)
        guarded = Guarded(Limited(recorded, pace), self._breaker)
        return Split(
            Retried(guarded, clock=self._clock, breaker=self._breaker), fail=self._fail, proven=self._settings_proven
        )

    def _settings_proven(self) -> bool:
        return self._proven or self._store.any_registered(self._run.run_id)

    def _fail(self, failures: Sequence[Settlement]) -> None:
        self._store.record_failures(self._run.run_id, self._token, failures)

    def _failed_with(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error
        self._halt.set()

    @contextmanager
    def _flying(self, batch: Batch) -> Iterator[None]:
        me = threading.get_ident()
        with self._lock:
            self._in_flight[me] = tuple(entry.result_id for entry in batch.entries)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.pop(me, None)

    def _renew(self) -> None:
        while not self._halt.wait(LEASE_SECONDS / 3):
            try:
                if not self._store.renew(self._token):
                    self._failed_with(Interrupted("another worker took this one's place", code="replaced"))
            except VodMigrateError as error:
                log.warning("the lease of %s could not be renewed: %s", self._name, error)


class _Tracked:
    """Knows which files are in a call right now, for the moment of stopping."""

    def __init__(self, inner: Registrar, flying: Callable[[Batch], AbstractContextManager[None]]) -> None:
        self._inner = inner
        self._flying = flying

    def register(self, batch: Batch) -> Reply:
        """Sends while counted as in flight."""
        with self._flying(batch):
            return self._inner.register(batch)
