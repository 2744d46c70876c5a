"""Account-wide pacing: one row per (account, API), one UPDATE per send.

The row holds when the next call may leave. A worker moves it on by one interval and gets the time before: the generic cell
rate algorithm (GCRA) with a burst of one. All workers of all runs, machines and executors are paced by the same row, on the
database's clock. Measured with 16 processes at 49/s of 50: 98.0 % of the quota used, no call refused; at 47/s, 20 ms of
arrival jitter cost 0.2 % (see benchmarks/).

When the service throttles, the row's share of the rate is cut for everyone, a little for each refused call, and grows back
by itself: one stray refusal costs two calls, a foreign application that takes half of the quota is made room for within
seconds.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol

from vod_migrate.clock import Clock
from vod_migrate.errors import QuotaConflict, StoreError
from vod_migrate.spec import ACCOUNT_CALLS_PER_SECOND

__all__ = ["API", "AccountPace", "Slot", "agree_on_pace", "next_slot", "pace_conflict", "share_in_force"]

API = "RegisterMedia"
AHEAD_SECONDS = 2.0
"""How far ahead slots are reserved: enough to hide a slow worker, little enough to react to a change."""
LATE_SECONDS = 0.2
"""A slot that would be used later than this is reserved anew: late calls bunch, and bunches are refused."""
CUT = 0.97
"""What one throttled call leaves of the share in force."""
LOWEST = 0.1
MOST_PAUSE_SECONDS = 60.0
"""The service's word for how long to wait counts up to here: a broken header must not stop an account for years."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A send time, in seconds on the clock that was given."""

    at: float
    reserved_until: float


def next_slot(*, now: float, reserved_until: float, rate: float, ahead: float = AHEAD_SECONDS) -> Slot | None:
    """The arithmetic of the quota row, as `reserve_slot` in queries.sql does it.

    now, reserved_until, ahead: seconds; rate: calls per second. None when slots are reserved further ahead than allowed.
    """
    if reserved_until > now + ahead:
        return None
    at = max(now, reserved_until)
    return Slot(at=at, reserved_until=at + 1 / rate)


def share_in_force(*, share: float, seconds_since_cut: float) -> float:
    """The share of the rate that counts now, as `vod_migrate_share` in the schema does it.

    share: what the last cut left. Grows slowly at first, so that a full account is probed seldom.
    """
    seconds = min(3600.0, max(0.0, seconds_since_cut))
    return min(1.0, share + 0.004 * seconds + 0.0005 * seconds * seconds)


class QuotaRow(Protocol):
    """The part of the results store that keeps the quota; times are differences, so that clocks need not agree."""

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none and returns its rate."""
        ...

    def reserve_slot(self, account: str, api: str, scope: str, *, ahead: float) -> tuple[float, float] | None:
        """(the slot on the monotonic clock, seconds between slots), or None when too far ahead.

        Raises:
            KeyError: there is no such pace.
        """
        ...

    def slow_down(self, account: str, api: str, *, cut: float, lowest: float, pause: float) -> None:
        """Cuts the share in force."""
        ...


class AccountPace:
    """Waits for the next send time of an account, through a narrower cap first where there is one."""

    def __init__(self, rows: QuotaRow, *, account: str, clock: Clock, cap: str | None = None, api: str = API) -> None:
        """cap: the scope of a migration's or a run's own pace; api: whose row, each API has its own."""
        self._rows = rows
        self._api = api
        self._account = account
        self._clock = clock
        self._scopes = ("",) if cap is None else (cap, "")

    def wait(self) -> None:
        """Returns when a call may leave.

        Raises:
            Interrupted: the worker is to stop. StoreUnreachable: the row cannot be asked.
        """
        for scope in self._scopes:
            self._pass(scope)

    def _pass(self, scope: str) -> None:
        while True:
            try:
                slot = self._rows.reserve_slot(self._account, self._api, scope, ahead=AHEAD_SECONDS)
            except KeyError:
                if scope:
                    # A run's own pace ends with the run; the account's still holds.
                    return
                raise StoreError(
                    f"the pace of account {self._account!r} for {self._api} is gone from the results database: {self._remedy}"
                ) from None
            if slot is None:
                # Slots are taken for the next two seconds; come back, not all at once, while some are left.
                self._clock.sleep(random.uniform(0.25, 0.75) * AHEAD_SECONDS)  # noqa: S311 - spreading, not secrecy
                continue
            due = slot[0]
            if (wait := due - self._clock.now()) > 0:
                self._clock.sleep(wait)
            if self._clock.now() - due <= LATE_SECONDS:
                return

    @property
    def _remedy(self) -> str:
        if self._api == API:
            return f"set it with `vod-migrate quota {self._account} --calls-per-second {ACCOUNT_CALLS_PER_SECOND:g}`"
        return (
            "start the run again, which makes that row anew (`vod-migrate quota` sets the pace of RegisterMedia only)"
        )

    def throttled(self, *, retry_after: float | None) -> None:
        """Tells the account's row that the service refused a call."""
        self._rows.slow_down(self._account, self._api, cut=CUT, lowest=LOWEST, pause=_pause(retry_after))


def _pause(retry_after: float | None) -> float:
    return min(MOST_PAUSE_SECONDS, max(0.0, retry_after or 0.0))


def agree_on_pace(rows: QuotaRow, *, account: str, configured: float | None) -> float:
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
