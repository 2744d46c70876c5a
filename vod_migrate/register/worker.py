"""The register worker: claim → describe → batch → pace → call → record, with many threads, until nothing is left.

It registers beside discovery: it ends when the run's scans are closed and nothing is claimable or held by a sibling. What
was refused once is tried again alone, when nothing else is left. When it stops early, whoever the reason, it lets go of what
it has not sent within seconds; the lease covers the case that it cannot even do that.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from vod_migrate.describe.describer import Describer
from vod_migrate.errors import AccountStopped, Interrupted, RunStopped, StoreError
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.canary import Looks
from vod_migrate.register.feeder import Feeder
from vod_migrate.register.monitor import RunMonitor
from vod_migrate.register.pause import Deadline, PauseLimited
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.send_queue import SendQueue, StopRequest
from vod_migrate.register.sender import Sender
from vod_migrate.results.claims import LEASE_SECONDS
from vod_migrate.results.run import Run
from vod_migrate.results.stop import ASKED
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

log = logging.getLogger(__name__)

GLANCE_SECONDS = 0.1
RELEASING_SECONDS = 1.5
"""What remains for giving the claims back once the calls under way are left alone."""
ASKED_SECONDS = 3.0
"""How long calls under way are awaited when a person pauses or cancels the run, who wants to see it end within five."""
DRAINING_SECONDS = 25.0
"""The same when nobody is in a hurry: connecting and reading take 20 s at most."""


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
        halt: threading.Event,
        grace: float,
        take_over: Callable[[threading.Event], None],
        may_send: Callable[[], bool] = lambda: True,
        looks: Looks | None = None,
    ) -> None:
        """slot: the worker's place in its run; stop: set from outside; halt: set by the worker, for waits that end with it.

        grace: seconds from `stop` until the process is killed; take_over: lists what nobody lists; may_send: False as long as
        nothing may be sent yet; it ends the run by raising. looks: looks the canary's media up; None where that is not wanted.
        """
        self._store = store
        self._run = run
        self._client = client
        self._describer = describer
        self._slot = slot
        self._stop = stop
        self._halt = StopRequest(halt)
        self._grace = grace
        self._take_over = take_over
        self._may_send = may_send
        self._looks = looks
        self._name = f"{socket.gethostname()}:{os.getpid()}/{slot}"
        self._hand = SendQueue()
        self._deadline = Deadline()

    def run(self) -> None:
        """Works until nothing is left.

        Raises:
            Interrupted: `stop` was set, or another worker took this one's place.
            AccountStopped, AllRefused, CanaryFailed, ThresholdPassed: the run must stop; the rest stays pending.
            Paused, Cancelled: somebody, its window or `pause_after` ended the run.
            StoreUnreachable: the results database stayed away longer than its patience.
        """
        with self._store.presence(self._run.run_id) as presence:
            token = self._store.take_place(self._run.run_id, slot=self._slot, worker=self._name)
            if self._run.pause_after.calls is not None or self._run.pause_after.objects is not None:
                self._store.keep_brake(self._run.run_id)
            watch = RunMonitor(
                store=self._store,
                run=self._run,
                token=token,
                presence=presence,
                halt=self._halt,
                deadline=self._deadline,
            )
            watch.look(patience=None)
            threads = self._threads(token, watch)
            for thread in threads:
                thread.start()
            try:
                self._wait()
            except (RunStopped, AccountStopped) as error:
                if not isinstance(error, Interrupted):
                    self._store.stop_run(self._run.run_id, code=type(error).__name__, message=str(error))
                raise
            finally:
                self._let_go(token, threads)

    def _threads(self, token: uuid.UUID, watch: RunMonitor) -> list[threading.Thread]:
        feeder = Feeder(
            store=self._store,
            run=self._run,
            token=token,
            describer=self._describer,
            hand=self._hand,
            halt=self._halt,
            take_over=self._take_over,
            keep_place=watch.keep_place,
            may_send=self._may_send,
            looks=self._looks,
        )
        sender = self._sender(token, watch, feeder)
        count = self._run.spec.register_.threads
        sending = [
            threading.Thread(target=sender.send, kwargs={"first": number == 0}, daemon=True) for number in range(count)
        ]
        feeding = threading.Thread(target=self._feed, args=(feeder,), daemon=True)
        return [*sending, *watch.threads(), feeding]

    def _sender(self, token: uuid.UUID, watch: RunMonitor, feeder: Feeder) -> Sender:
        clock = StopClock(self._halt.event)

        def braked(inner: Registrar) -> PauseLimited:
            return PauseLimited(
                inner, store=self._store, run=self._run, deadline=self._deadline, halted=self._halt.event
            )

        return Sender(
            store=self._store,
            run=self._run,
            token=token,
            worker=self._name,
            client=self._client,
            hand=self._hand,
            halt=self._halt,
            pace=RateLimiter(
                self._store,
                account=self._run.account,
                clock=clock,
                caps=lambda: watch.scopes,
                priority=self._run.spec.priority,
            ),
            breaker=Breaker(clock),
            braked=braked,
            described=feeder.described,
            heard=feeder.canary.heard,
            address=self._describer.storage_address,
        )

    def _feed(self, feeder: Feeder) -> None:
        try:
            feeder.run()
            self._halt.ask(None)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            self._halt.ask(error)

    def _wait(self) -> None:
        """Until the worker halts: for a reason of its own, because it is told to, or because its time is over."""
        while not self._halt.asked:
            if self._stop.wait(GLANCE_SECONDS):
                self._halt.ask(
                    Interrupted("the worker was told to stop; what it had not sent stays pending", code="interrupted")
                )
            elif (over := self._deadline.passed()) is not None:
                self._halt.ask(over)
        if self._halt.reason is not None:
            raise self._halt.reason

    def _let_go(self, token: uuid.UUID, threads: Sequence[threading.Thread]) -> None:
        self._halt.ask(None)
        until = time.monotonic() + self._awaited
        *sending, _, _, _ = threads
        for thread in sending:
            while thread.is_alive() and time.monotonic() < until:
                thread.join(GLANCE_SECONDS)
                if self._stop.is_set():
                    until = min(until, time.monotonic() + self._after_a_signal)
        try:
            self._store.leave(token, in_flight=self._hand.in_flight(), patience=RELEASING_SECONDS)
        except StoreError:
            log.warning("the claims of %s could not be released; their lease ends in %g s", self._name, LEASE_SECONDS)

    @property
    def _awaited(self) -> float:
        """For how many seconds calls under way are awaited."""
        reason = self._halt.reason
        if isinstance(reason, Interrupted | StoreError):
            return self._after_a_signal
        return ASKED_SECONDS if type(reason).__name__ in ASKED else DRAINING_SECONDS

    @property
    def _after_a_signal(self) -> float:
        return min(DRAINING_SECONDS, max(0.0, self._grace - 1.0 - RELEASING_SECONDS))
