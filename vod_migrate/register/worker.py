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
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from vod_migrate.clock import StopClock
from vod_migrate.describe import Describer, Refusal
from vod_migrate.errors import (
    AccountStopped,
    AllRefused,
    Interrupted,
    RequestRefused,
    RunStopped,
    StoreUnreachable,
    ThresholdPassed,
    VodMigrateError,
)
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.register.batching import Batcher
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.canary import Canary, Looks
from vod_migrate.register.client import Registrar
from vod_migrate.register.quota import AccountPace
from vod_migrate.register.wrappers import Guarded, Limited, Recorded, Retried, Split
from vod_migrate.results.claims import LEASE_SECONDS
from vod_migrate.results.rows import Run, Settlement, Work
from vod_migrate.results.session import Presence
from vod_migrate.results.store import Store

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
PRESENCE_SECONDS = 5.0
PROBED_OBJECTS = 3
DESCRIBING_THREADS = 16
"""Where each description costs a request: 16 keep up with the full quota at 30 ms each."""


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
        take_over: Callable[[threading.Event], None],
        looks: Looks | None = None,
    ) -> None:
        """slot: the worker's place in its run; cap: scope of a narrower pace; take_over: lists what nobody lists.

        looks: looks the canary's media up; None where that is not wanted.
        """
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
        rules = run.spec.register_
        self._batcher = Batcher(
            max_request_bytes=rules.max_request_bytes,
            user_data="" if rules.user_data is None else rules.user_data.as_json(),
        )
        self._canary = Canary(store=store, run=run, looks=looks, batches=self._canary_batches, put=self._put)
        self._lock = threading.Lock()
        self._outstanding = 0
        self._in_flight: dict[int, tuple[int, ...]] = {}
        self._failure: BaseException | None = None
        self._proven = False
        self._next_check = 0.0
        self._next_place = 0.0
        self._ended = False
        self._idle_since: float | None = None
        self._token = uuid.UUID(int=0)
        self._presence: Presence | None = None
        self._taking_over: threading.Thread | None = None

    def run(self) -> None:
        """Works until nothing is left.

        Raises:
            Interrupted: `stop` was set, or another worker took this one's place.
            AccountStopped, AllRefused, ThresholdPassed: the run must stop; the rest stays pending.
            StoreUnreachable: the results database stayed away longer than its patience.
        """
        with self._store.presence(self._run.run_id) as presence:
            self._presence = presence
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
                self._canary.close()
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
            if self._ended:
                return
            if self._queue.qsize() >= self._threads:
                self._stop.wait(IDLE_SECONDS / 2)
                continue
            if self._canary.holds_back(self._token):
                self._stop.wait(IDLE_SECONDS / 2)
                continue
            works = self._store.claim(self._run.run_id, self._token, most=self._canary.pool or CLAIM_OBJECTS)
            if works and self._canary.took(works, self._token):
                self._idle_since = None
                self._stop.wait(IDLE_SECONDS / 2)
            elif works:
                self._idle_since = None
                self._put(self._batcher.add(self._describer.storage_address, self._described(works)))
            elif self._done():
                return

    def _done(self) -> bool:
        """What to do when nothing is claimable: adopt, wait, flush, take over, try alone; True when nothing is left."""
        if self._run.adopts and self._store.adopt_pending(self._run, most=ADOPTED_OBJECTS):
            return False
        open_scans, waiting, alone = self._store.work_left(self._run.run_id)
        self._idle_since = self._idle_since or time.monotonic()
        in_hand = self._busy() or len(self._batcher)
        if waiting and not in_hand and self._store.release_lost(self._token):
            return False
        if open_scans:
            self._wait_for_discovery(time.monotonic() - self._idle_since)
        elif len(self._batcher):
            self._put(self._batcher.flush())
            return False
        elif not waiting and not in_hand:
            if not alone:
                return True
            if self._try_alone():
                return False
        self._keep_place_now_and_then()
        self._stop.wait(IDLE_SECONDS)
        return False

    def _wait_for_discovery(self, idle: float) -> None:
        if idle >= PARTIAL_SECONDS:
            self._put(self._batcher.flush())
        if idle >= TAKE_OVER_SECONDS:
            self._idle_since = None
            self._list_what_nobody_lists()

    def _try_alone(self) -> bool:
        works = self._store.claim(self._run.run_id, self._token, most=self._threads, alone=True)
        for entry in self._described(works):
            self._put([Batch(storage_address=self._describer.storage_address, entries=(entry,))])
        return bool(works)

    def _keep_place_now_and_then(self) -> None:
        # An idle worker may be waiting for what a lease that ran out unnoticed has given to others, or kept from itself.
        now = time.monotonic()
        if now >= self._next_place:
            self._next_place = now + CHECK_SECONDS
            self._keep_place()

    def _list_what_nobody_lists(self) -> None:
        if self._taking_over is None or not self._taking_over.is_alive():
            self._taking_over = threading.Thread(target=self._take_over_quietly, daemon=True)
            self._taking_over.start()

    def _take_over_quietly(self) -> None:
        try:
            self._take_over(self._halt)
        except Interrupted:
            return
        except VodMigrateError as error:
            log.warning("listing in the discover task's place failed: %s", error)
        except BaseException as error:  # noqa: BLE001 - handed to the feeding thread
            self._failed_with(error)

    def _described(self, works: Sequence[Work]) -> list[Entry]:
        entries: list[Entry] = []
        refused: list[Settlement] = []
        for work, described in zip(works, self._describe(works), strict=True):
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

    def _canary_batches(self, works: Sequence[Work]) -> list[Batch]:
        # Nothing waits in the batcher before the canary is over.
        return [*self._batcher.add(self._describer.storage_address, self._described(works)), *self._batcher.flush()]

    def _describe(self, works: Sequence[Work]) -> list[Entry | Refusal]:
        def one(work: Work) -> Entry | Refusal:
            if self._stop.is_set():
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
        if stored.state == "succeeded":
            # A sibling has seen the end of the work, and nothing was left.
            self._ended = True
            return
        if stored.state != "running":
            raise RunStopped(f"run {stored.run_id} was ended elsewhere ({stored.state})", code="ended")
        self._check_threshold(stored)
        # Counting grows with the run; it must never take more than a twentieth of the time.
        self._next_check = time.monotonic() + max(CHECK_SECONDS, 20 * (time.monotonic() - now))

    def _check_threshold(self, stored: Run) -> None:
        told = self._store.outcome_counts(stored)
        if not told.get("failed") and not told.get("retry"):
            return
        # A broken row of a manifest says nothing about VOD, and all of them are recorded before the first file is sent.
        broken = 0 if self._run.spec.source.listed else self._store.broken_rows(stored)
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
                self._canary.heard(registrar.register(batch))
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
            Retried(guarded, clock=self._clock, breaker=self._breaker),
            fail=self._fail,
            proven=self._settings_proven,
            probe=self._probe,
        )

    def _probe(self, registrar: Registrar) -> bool:
        """Whether a file from the far end of the backlog is accepted, when all those in hand are refused."""
        batch = self._last_in_hand()
        if batch is not None:
            tried = batch.entries[-PROBED_OBJECTS:]
            accepted = next((entry for entry in tried if self._accepted(registrar, entry)), None)
            rest = tuple(entry for entry in batch.entries if entry is not accepted)
            self._put([Batch(storage_address=batch.storage_address, entries=rest)] if rest else [])
            return accepted is not None
        works = self._store.claim_last(self._run.run_id, self._token, most=PROBED_OBJECTS)
        entries = self._described(works)
        accepted = next((entry for entry in entries if self._accepted(registrar, entry)), None)
        self._store.release(self._token, [entry.result_id for entry in entries if entry is not accepted])
        return accepted is not None

    def _last_in_hand(self) -> Batch | None:
        with self._queue.mutex:
            if not self._queue.queue:
                return None
            batch: Batch = self._queue.queue.pop()
        with self._lock:
            self._outstanding -= 1
        return batch

    def _accepted(self, registrar: Registrar, entry: Entry) -> bool:
        try:
            registrar.register(Batch(storage_address=self._describer.storage_address, entries=(entry,)))
        except RequestRefused:
            return False
        return True

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
        renewed = time.monotonic()
        while not self._halt.wait(PRESENCE_SECONDS):
            try:
                if self._presence is not None:
                    self._presence.keep()
                if time.monotonic() - renewed >= LEASE_SECONDS / 3:
                    self._keep_place()
                    self._store.show_life(self._run.run_id)
                    renewed = time.monotonic()
            except VodMigrateError as error:
                log.warning("the lease of %s could not be renewed: %s", self._name, error)

    def _keep_place(self) -> None:
        if not self._store.renew(self._token):
            self._failed_with(Interrupted("another worker took this one's place", code="replaced"))


class _Tracked:
    """Knows which files are in a call right now, for the moment of stopping."""

    def __init__(self, inner: Registrar, flying: Callable[[Batch], AbstractContextManager[None]]) -> None:
        self._inner = inner
        self._flying = flying

    def register(self, batch: Batch) -> Reply:
        """Sends while counted as in flight."""
        with self._flying(batch):
            return self._inner.register(batch)
