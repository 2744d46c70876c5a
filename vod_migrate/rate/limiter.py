"""The account-wide rate limit: one row per (account, API), one UPDATE per send. The arithmetic is SQL: queries/rates.sql.

The row holds when the next call may leave. A worker moves it on by one interval and gets the time before: the generic cell
rate algorithm (GCRA) with a burst of one. All workers of all runs, machines and executors share the row, on the database's
clock. Measured with 16 processes at 49/s of 50: 98.0 % of the quota used, no call refused; at 47/s, 20 ms of arrival jitter
cost 0.2 % (see benchmarks/).

Migrations that share an account have priorities. While a higher one has work (it took a slot within the last seconds), a lower
one may book only what is left over, a tenth of a second ahead, besides a small share that it always has. While only one
priority sends, this has no effect.

When the service throttles, the row's share of the rate is cut for everyone, by half a call a second for each refused call:
slots are reserved two seconds ahead, so an excess of n calls a second is refused about 2 n times before the cuts take effect,
and together those cuts take away n. The share then grows with the cube of the time, slowly where it was refused and fast
later: from the lowest share to the whole in 45 s. The account is probed every dozen seconds, and what a foreign application
leaves unused is taken within forty. Both were chosen by the simulation in tests/unit/test_shared_account.py;
benchmarks/sharing.py measures them with real processes.
"""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from vod_migrate.errors import QuotaConflict, StoreError
from vod_migrate.shutdown import Clock

ACCOUNT_CALLS_PER_SECOND = 47.0
"""The default rate of an account: 94 % of the documented 50 calls/s, which leaves room for 20 ms of network jitter."""


API = "RegisterMedia"


AHEAD_SECONDS = 2.0
"""How far ahead slots are reserved: enough to hide a slow worker, little enough to react to a change."""


LATE_SECONDS = 0.2
"""A slot that would be used later than this is reserved again: late calls bunch, and bunches are refused."""


SPACING = 0.98
"""Calls of one process leave at least this part of an interval apart: slots that are late, but not too late, leave no bunch."""


PRIORITY = 5
"""The default, on a scale of 1 to 10."""


ASK_AGAIN_SECONDS = 0.25
"""A thread without a slot asks again at least this often: rates and priorities change while it waits."""


CUT = 1 / AHEAD_SECONDS
"""Calls per second that one throttled call takes away."""


MOST_CUT = 0.5
"""The largest part of the share in force that one throttled call takes away: an account with one call a second must not stop."""


LOWEST = 0.1
"""The smallest share of the rate that cuts leave."""


MOST_TOGETHER = 32
"""Slots in one reservation at most."""


MOST_PAUSE_SECONDS = 60.0
"""A longer Retry-After of the service is cut to this: a broken header must not stop an account for years."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LookAhead:
    """How far ahead slots may be booked, in seconds: `ahead`, but only `yielding` while a higher priority is busy.

    busy: for how long after its last slot a priority counts as having work. lowest: the share of the rate that each priority has
    whatever the others do; with it nothing is ever starved, and the highest gives up no more than that for each one below it.
    """

    ahead: float = AHEAD_SECONDS
    yielding: float = 0.1
    busy: float = 2.0
    lowest: float = 0.05


LOOK_AHEAD = LookAhead()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """Slots at `due` on the monotonic clock, `interval` seconds apart; or none, and after how many seconds to ask again."""

    due: tuple[float, ...] = ()
    interval: float = 0.0
    ask_again_in: float = 0.0


class RateStore(Protocol):
    """The part of the results store that keeps the quota; times are differences, so that clocks need not agree."""

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none and returns its rate."""
        ...

    def reserve_slots(self, account: str, api: str, scope: str, *, count: int, priority: int) -> Reservation:
        """The next slots, up to so many and as far as LOOK_AHEAD allows, or when to ask again.

        Raises:
            KeyError: there is no such row.
        """
        ...

    def slow_down(self, account: str, api: str, *, pause: float) -> None:
        """Cuts the share in force by CUT calls per second, at most by the part MOST_CUT of it, not below LOWEST.

        pause: seconds for which nobody sends.
        """
        ...


class _Queue:
    """The threads that wait for slots of one rate. The first of them reserves for all; the others find what it brought.

    It reserves for those too that will be here soon: half as many as sleep until their own slot. They come back before the
    slots are due, and a reservation costs a commit.
    """

    def __init__(self) -> None:
        self._door = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._asleep = 0
        self._most = MOST_TOGETHER
        self._asked = 0
        self._due: deque[float] = deque()

    @contextmanager
    def waits(self, clock: Clock) -> Iterator[None]:
        """A thread waits in the queue, until it is the first."""
        with self._count:
            self._waiting += 1
        try:
            while not self._door.acquire(timeout=ASK_AGAIN_SECONDS):
                clock.sleep(0.0)
            try:
                yield
            finally:
                self._door.release()
        finally:
            with self._count:
                self._waiting -= 1

    @contextmanager
    def sleeps(self) -> Iterator[None]:
        """A thread sleeps until its slot."""
        with self._count:
            self._asleep += 1
        try:
            yield
        finally:
            with self._count:
                self._asleep -= 1

    def next(self, now: float) -> float | None:
        """A slot that was brought and is not late."""
        while self._due:
            due = self._due.popleft()
            if now - due <= LATE_SECONDS:
                return due
        return None

    def asks(self) -> int:
        """How many slots to reserve: one for each who waits or soon will, but not many more than there were the last time."""
        self._asked = max(1, min(self._waiting + self._asleep // 2, self._most))
        return self._asked

    def add(self, due: Sequence[float]) -> None:
        """What was reserved."""
        self._due.extend(due)
        self._most = MOST_TOGETHER if len(due) == self._asked else 2 * max(1, len(due))


class _Exit:
    """Where the calls of a process leave: one after another, however many threads wake up at once after a stall."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next = -math.inf
        self.interval = 0.0

    def leave(self) -> None:
        """Waits until the call may leave. A call that is at most one interval late does not make the next one late."""
        while True:
            with self._lock:
                now = self._clock.now()
                wait = self._next - now
                if wait <= 0:
                    self._next = max(self._next, now - self.interval) + SPACING * self.interval
                    return
            self._clock.sleep(wait)


class RateLimiter:
    """Waits for the next send time of an account, through narrower caps first; the threads of a worker share one."""

    def __init__(
        self,
        rows: RateStore,
        *,
        account: str,
        clock: Clock,
        caps: Callable[[], Sequence[str]] = tuple,
        api: str = API,
        priority: int = PRIORITY,
    ) -> None:
        """caps: the scopes of the migration's and the run's own rates, as they are now; api: each API has its own row."""
        self._rows = rows
        self._api = api
        self._account = account
        self.clock = clock
        self._caps = caps
        self._priority = priority
        self._queues: dict[str, _Queue] = {}
        self._exit = _Exit(clock)

    def wait(self) -> None:
        """Returns when a call may leave.

        Raises:
            Interrupted: the worker is to stop. StoreUnreachable: the row cannot be asked.
        """
        for scope in (*self._caps(), ""):
            self._pass(scope)
        self._exit.leave()

    def _pass(self, scope: str) -> None:
        while (due := self._slot(scope)) is not None:
            if (wait := due - self.clock.now()) > 0:
                with self._queues[scope].sleeps():
                    self.clock.sleep(wait)
            if self.clock.now() - due <= LATE_SECONDS:
                return

    def _slot(self, scope: str) -> float | None:
        """The next slot; None where the rate is gone, as a run's own is once the run has ended."""
        queue = self._queues.setdefault(scope, _Queue())
        with queue.waits(self.clock):
            while (due := queue.next(self.clock.now())) is None:
                reserved = self._reserve(scope, queue.asks())
                if reserved is None:
                    return None
                queue.add(reserved.due)
                if not scope and reserved.due:
                    self._exit.interval = reserved.interval
                if not reserved.due:
                    wait = min(ASK_AGAIN_SECONDS, max(0.01, reserved.ask_again_in))
                    self.clock.sleep(random.uniform(0.75, 1.25) * wait)  # noqa: S311 - spreading, not secrecy
            return due

    def _reserve(self, scope: str, count: int) -> Reservation | None:
        try:
            return self._rows.reserve_slots(self._account, self._api, scope, count=count, priority=self._priority)
        except KeyError:
            if scope:
                return None
            raise StoreError(
                f"the rate of account {self._account!r} for {self._api} is missing from the results database: {self._remedy}"
            ) from None

    @property
    def _remedy(self) -> str:
        if self._api == API:
            return f"set it with `vod-migrate quota {self._account} --calls-per-second {ACCOUNT_CALLS_PER_SECOND:g}`"
        return "start the run again, which creates it (`vod-migrate quota` sets the rate of RegisterMedia only)"

    def throttled(self, *, retry_after: float | None) -> None:
        """Slows the account down, because the service throttled a call."""
        pause = min(MOST_PAUSE_SECONDS, max(0.0, retry_after or 0.0))
        self._rows.slow_down(self._account, self._api, pause=pause)


def agree_on_rate(rows: RateStore, *, account: str, configured: float | None) -> float:
    """The account's calls per second, as stored; the first connection stores its own.

    Raises:
        QuotaConflict: this connection names another rate than the one stored.
    """
    rate = rows.keep_quota(account, API, configured or ACCOUNT_CALLS_PER_SECOND)
    conflict = rate_conflict(account, rate, configured)
    if conflict is not None:
        raise conflict
    return rate


def rate_conflict(account: str, rate: float, configured: float | None) -> QuotaConflict | None:
    """What is wrong where a connection names another rate (calls per second) than the one stored for the account."""
    if configured is None or abs(rate - configured) <= 1e-9:  # noqa: PLR2004 - float noise
        return None
    return QuotaConflict(
        f"account {account!r} has a rate of {rate:g} calls per second, but this connection sets calls_per_second = "
        f"{configured:g}: give every connection of the account the same value, or change the account's with "
        f"`vod-migrate quota {account} --calls-per-second {configured:g}`"
    )


def run_scope(run_id: str) -> str:
    """The scope of a run's own rate."""
    return f"run:{run_id}"


def migration_scope(name: str) -> str:
    """The scope of a migration's own rate."""
    return f"migration:{name}"
