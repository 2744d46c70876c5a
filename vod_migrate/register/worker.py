"""The register worker: claim → describe → batch → call → record, with many threads, until nothing is left.

It registers beside discovery: it ends when the run's scans are closed and nothing is claimable or held by a sibling. Files
that were refused once are tried again alone, when nothing else is left. When it stops early, whatever the reason, it releases
what it has not sent within seconds; if it cannot even do that, its lease lapses.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from vod_migrate.errors import AccountStopped, Cancelled, Interrupted, Paused, RunStopped, StoreError
from vod_migrate.media import Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.chain import chain
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.feeder import Feeder
from vod_migrate.register.monitor import RunMonitor
from vod_migrate.register.registrar import Registrar
from vod_migrate.results.stop_code import ASKED, code_of

log = logging.getLogger(__name__)


class Worker:
    """One worker of one run."""

    def __init__(self, context: WorkerContext, *, stop: threading.Event, grace: float) -> None:
        """stop: set from outside; grace: seconds from then until the process is killed."""
        self._context = context
        self._stop = stop
        self._grace = grace
        self._monitor = RunMonitor(context)

    def run(self) -> None:
        """Works until nothing is left.

        Raises:
            Interrupted: `stop` was set, or another worker has replaced this one.
            AccountStopped, AllRefused, CanaryFailed, ThresholdPassed: the run must stop; the rest stays pending.
            Paused, Cancelled: somebody, its window or `pause_after` ended the run.
            StoreUnreachable: the results database stayed away longer than its patience.
        """
        store, run = self._context.store, self._context.run
        self._monitor.look(patience=None)
        working = self._threads()
        # Who is told to stop before it begins sends nothing.
        for thread in () if self._stop.is_set() else (*working, *self._monitor.threads()):
            thread.start()
        try:
            self._wait()
        except (RunStopped, AccountStopped) as error:
            if (code := code_of(error)) is not None:
                store.stop_run(run.run_id, code=code, message=str(error))
            raise
        finally:
            self._let_go(working)

    def _threads(self) -> list[threading.Thread]:
        """Those that feed and send; none is started yet."""
        context, monitor = self._context, self._monitor
        feeder = Feeder(context, renew=monitor.renew)
        rate = RateLimiter(
            context.store,
            account=context.run.account,
            clock=context.clock,
            caps=lambda: monitor.scopes,
            priority=context.run.spec.priority,
        )
        shared = chain(context, rate, renew=monitor.renew, far_end=feeder.far_end)
        sending = [
            threading.Thread(target=self._send, args=(shared, feeder.canary.received), daemon=True)
            for _ in range(context.run.spec.register_.threads)
        ]
        feeding = threading.Thread(target=self._feed, args=(feeder,), daemon=True)
        return [*sending, feeding]

    def _feed(self, feeder: Feeder) -> None:
        try:
            feeder.run()
            self._context.halt.ask(None)
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
            self._context.halt.ask(error)

    def _send(self, registrar: Registrar, received: Callable[[Reply], None]) -> None:
        """The work of one thread until the worker halts: it takes a batch and sees it through. received: is given each reply."""
        hand, halt = self._context.hand, self._context.halt
        while (batch := hand.take()) is not None:
            try:
                received(registrar.register(batch))
            except Interrupted:
                return
            except BaseException as error:
                log.debug("a sending thread ends", exc_info=True)
                halt.ask(error)
                return
            finally:
                hand.done()

    def _wait(self) -> None:
        """Until the worker halts: for a reason of its own, because it is told to, or because its time is over."""
        halt = self._context.halt
        while not halt.wait(self._context.timings.glance):
            if self._stop.is_set():
                halt.ask(Interrupted("the worker was stopped; unsent objects stay pending", code="interrupted"))
            elif (over := self._context.deadline.passed()) is not None:
                halt.ask(over)
        if halt.reason is not None:
            raise halt.reason

    def _let_go(self, working: Sequence[threading.Thread]) -> None:
        context = self._context
        context.halt.ask(None)
        context.hand.close()
        until = time.monotonic() + self._drain
        for thread in working:
            while thread.is_alive() and time.monotonic() < until:
                thread.join(context.timings.glance)
                if self._stop.is_set():
                    until = min(until, time.monotonic() + self._after_a_signal)
        try:
            if isinstance(context.halt.reason, Interrupted | Paused | Cancelled) and context.ledger.holds_success:
                # Nobody will judge this canary, but its media are there.
                context.ledger.release()
            context.store.leave(
                context.run, context.place, in_flight=context.hand.in_flight(), patience=context.timings.release
            )
        except StoreError:
            log.warning(
                "the claims of %s could not be released; its lease ends in %g s", context.name, context.lease.seconds
            )
            return
        if context.halt.reason is None:
            # Nothing is left, which gauges that stay as they were would not show.
            self._monitor.tell_gauges(anyway=True)

    @property
    def _drain(self) -> float:
        """For how many seconds calls in flight are awaited."""
        reason = self._context.halt.reason
        if isinstance(reason, Interrupted | StoreError):
            return self._after_a_signal
        timings = self._context.timings
        return timings.drain_asked if isinstance(reason, BaseException) and code_of(reason) in ASKED else timings.drain

    @property
    def _after_a_signal(self) -> float:
        timings = self._context.timings
        return min(timings.drain, max(0.0, self._grace - 1.0 - timings.release))
