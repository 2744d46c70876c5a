"""Account-wide pacing: one row per (account, API), one UPDATE per send.

The row holds when the next call may leave. A worker moves it on by one interval and gets the time before: the generic cell
rate algorithm (GCRA) with a burst of one. All workers of all runs, machines and executors are paced by the same row, on the
database's clock. Measured with 16 processes at 49/s of 50: 98.0 % of the quota used, no call refused; at 47/s, 20 ms of
arrival jitter cost 0.2 % (see benchmarks/).

Migrations that share an account have priorities. While a higher one has work (it took a slot within the last seconds), a lower
one may book only what is left over, a tenth of a second ahead, besides a small share that it always has. Where only one
priority sends, nothing of this is felt.

When the service throttles, the row's share of the rate is cut for everyone, by half a call a second for each refused call: slots
are reserved two seconds ahead, so an excess of n calls a second is refused about 2 n times before the cuts are felt, and those
cuts together take away n. The share grows back by itself with the cube of the time, slowly where it was refused and then
fast: the account is probed every dozen seconds, and what a foreign application leaves is taken within forty. Both were
chosen by the simulation in tests/unit/test_shared_account.py; benchmarks/sharing.py measures them with real processes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from vod_migrate.errors import QuotaConflict, StoreError
from vod_migrate.shutdown import Clock

ACCOUNT_CALLS_PER_SECOND = 47.0
"""The account's own pace: 94 % of the documented 50 calls/s, which 20 ms of network jitter still fits into."""


API = "RegisterMedia"


AHEAD_SECONDS = 2.0
"""How far ahead slots are reserved: enough to hide a slow worker, little enough to react to a change."""


LATE_SECONDS = 0.2
"""A slot that would be used later than this is reserved anew: late calls bunch, and bunches are refused."""


PRIORITY = 5
"""Of 1 to 10; for whoever does not say."""


ASK_AGAIN_SECONDS = 0.25
"""Whoever is refused a slot asks again at least so often: paces and priorities change while they are waited for."""


CUT = 1 / AHEAD_SECONDS
"""Calls per second that one throttled call takes away."""


MOST_CUT = 0.5
"""The largest part of the share in force that one throttled call takes away: an account of one call a second must not stop."""


LOWEST = 0.1


MOST_PAUSE_SECONDS = 60.0
"""The service's word for how long to wait counts up to here: a broken header must not stop an account for years."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A send time, in seconds on the clock that was given."""

    at: float
    reserved_until: float


def next_slot(*, now: float, reserved_until: float, rate: float, ahead: float = AHEAD_SECONDS) -> Slot | None:
    """The arithmetic of the quota row, as `reserve_slot` in results/queries/rates.sql does it.

    now, reserved_until, ahead: seconds; rate: calls per second. None when slots are reserved further ahead than allowed.
    """
    if reserved_until > now + ahead:
        return None
    at = max(now, reserved_until)
    return Slot(at=at, reserved_until=at + 1 / rate)


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


def look_ahead(
    *, since_higher: float | None, since_own: float | None, rate: float, look: LookAhead = LOOK_AHEAD
) -> float:
    """How far ahead a priority may book now, in seconds, as `vod_migrate_ahead` in the schema does it.

    since_higher, since_own: seconds since a higher priority, and since this one, took a slot; None: never. rate: calls per second.
    """
    if since_higher is None or since_higher >= look.busy:
        return look.ahead
    if since_own is None or since_own >= 1 / (look.lowest * rate):
        return look.ahead
    return look.yielding


@dataclass(frozen=True, kw_only=True, slots=True)
class Reservation:
    """A slot at `due` on the monotonic clock; or None, and after how many seconds to ask again."""

    due: float | None = None
    ask_again_in: float = 0.0


def share_in_force(*, share: float, seconds_since_cut: float) -> float:
    """The share of the rate that counts now, as `vod_migrate_share` in the schema does it.

    share: what the last cut left. Grows slowly at first, so that a full account is probed seldom; from the lowest share to
    the whole in 45 s.
    """
    seconds = min(3600.0, max(0.0, seconds_since_cut))
    return min(1.0, share + 0.006 * min(1.0, seconds) + 0.00001 * seconds**3)


def share_after_refusal(*, share: float, rate: float) -> float:
    """What one throttled call leaves of the share in force, as `slow_down` in results/queries/rates.sql does it. rate: calls per second."""
    return max(LOWEST, share * max(1 - MOST_CUT, 1 - CUT / (rate * share)))


class RateStore(Protocol):
    """The part of the results store that keeps the quota; times are differences, so that clocks need not agree."""

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none and returns its rate."""
        ...

    def reserve_slot(self, account: str, api: str, scope: str, *, priority: int, look: LookAhead) -> Reservation:
        """The next slot, or when to ask again.

        Raises:
            KeyError: there is no such pace.
        """
        ...

    def slow_down(self, account: str, api: str, *, cut: float, most_cut: float, lowest: float, pause: float) -> None:
        """Cuts the share in force by `cut` calls per second, at most by the part `most_cut` of it, not below `lowest`.

        pause: seconds for which nobody sends.
        """
        ...


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
        """caps: the scopes of a migration's and a run's own paces as they are now; api: whose row, each API has its own."""
        self._rows = rows
        self._api = api
        self._account = account
        self.clock = clock
        self._caps = caps
        self._priority = priority
        self._doors: dict[str, threading.Lock] = {}

    def wait(self) -> None:
        """Returns when a call may leave.

        Raises:
            Interrupted: the worker is to stop. StoreUnreachable: the row cannot be asked.
        """
        for scope in (*self._caps(), ""):
            self._pass(scope)

    def _pass(self, scope: str) -> None:
        while (due := self._slot(scope)) is not None:
            if (wait := due - self.clock.now()) > 0:
                self.clock.sleep(wait)
            if self.clock.now() - due <= LATE_SECONDS:
                return

    def _slot(self, scope: str) -> float | None:
        """The next slot; None where the pace has ended, as a run's own does with the run."""
        reserved = self._reserve(scope)
        if reserved is None or reserved.due is not None:
            return None if reserved is None else reserved.due
        # One of the worker's threads asks again and again, the others stand behind it.
        with self._door(scope):
            while True:
                reserved = self._reserve(scope)
                if reserved is None or reserved.due is not None:
                    return None if reserved is None else reserved.due
                wait = min(ASK_AGAIN_SECONDS, max(0.01, reserved.ask_again_in))
                self.clock.sleep(random.uniform(0.75, 1.25) * wait)  # noqa: S311 - spreading, not secrecy

    def _reserve(self, scope: str) -> Reservation | None:
        try:
            return self._rows.reserve_slot(self._account, self._api, scope, priority=self._priority, look=LOOK_AHEAD)
        except KeyError:
            if scope:
                return None
            raise StoreError(
                f"the pace of account {self._account!r} for {self._api} is gone from the results database: {self._remedy}"
            ) from None

    @contextmanager
    def _door(self, scope: str) -> Iterator[None]:
        door = self._doors.setdefault(scope, threading.Lock())
        while not door.acquire(timeout=ASK_AGAIN_SECONDS):
            self.clock.sleep(0.0)
        try:
            yield
        finally:
            door.release()

    @property
    def _remedy(self) -> str:
        if self._api == API:
            return f"set it with `vod-migrate quota {self._account} --calls-per-second {ACCOUNT_CALLS_PER_SECOND:g}`"
        return (
            "start the run again, which makes that row anew (`vod-migrate quota` sets the pace of RegisterMedia only)"
        )

    def throttled(self, *, retry_after: float | None) -> None:
        """Tells the account's row that the service refused a call."""
        self._rows.slow_down(
            self._account, self._api, cut=CUT, most_cut=MOST_CUT, lowest=LOWEST, pause=_pause(retry_after)
        )


def _pause(retry_after: float | None) -> float:
    return min(MOST_PAUSE_SECONDS, max(0.0, retry_after or 0.0))


def agree_on_rate(rows: RateStore, *, account: str, configured: float | None) -> float:
    """The account's calls per second: what the row says; the first to come makes it.

    Raises:
        QuotaConflict: this connection names another pace than the row.
    """
    rate = rows.keep_quota(account, API, configured or ACCOUNT_CALLS_PER_SECOND)
    conflict = pace_conflict(account, rate, configured)
    if conflict is not None:
        raise conflict
    return rate


def pace_conflict(account: str, rate: float, configured: float | None) -> QuotaConflict | None:
    """What is wrong where a connection names another pace (calls per second) than the account's row."""
    if configured is None or abs(rate - configured) <= 1e-9:  # noqa: PLR2004 - float noise
        return None
    return QuotaConflict(
        f"account {account!r} is paced at {rate:g} calls per second, but this connection says calls_per_second = "
        f"{configured:g}: give every connection of the account the same value, or change the account's with "
        f"`vod-migrate quota {account} --calls-per-second {configured:g}`"
    )


def run_scope(run_id: str) -> str:
    """The name of a run's own pace."""
    return f"run:{run_id}"


def migration_scope(name: str) -> str:
    """The name of a migration's own pace."""
    return f"migration:{name}"
