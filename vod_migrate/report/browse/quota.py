"""An account's quota as one bar: who uses how much of it now, what is throttled, what is left, and what is kept for others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vod_migrate.report.browse.access import QUERIES, Readable, reading
from vod_migrate.report.rate_chart import DOCUMENTED_CALLS_PER_SECOND
from vod_migrate.results.store import Store

LAST_SECONDS = 60
"""'Now' is the last minute: long enough to be calm, short enough to be now."""

_MOST_ACCOUNTS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaUser:
    """A run at work and its calls per second; migration and run_id are None for the runs that the reader may not see, together."""

    migration: str | None
    run_id: str | None
    calls_per_second: float


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaBar:
    """An account and RegisterMedia, in calls per second.

    documented: what VOD allows the account; rate: the rate that all workers keep together; share: how much of it is in force, less
    than 1 after throttling; throttled: the share of the last minute's calls that VOD refused for their number. clock_reset: when the
    database's clock was last found to have stepped back, within the last day.
    """

    account: str
    documented: float
    rate: float
    share: float
    users: tuple[QuotaUser, ...]
    throttled: float
    clock_reset: dt.datetime | None = None

    @property
    def used(self) -> float:
        """What all runs sent in the last minute."""
        return sum(user.calls_per_second for user in self.users)

    @property
    def in_force(self) -> float:
        """The rate now."""
        return self.rate * self.share

    @property
    def free(self) -> float:
        """What our runs could still take."""
        return max(0.0, self.in_force - self.used)

    @property
    def reserve(self) -> float:
        """What is left to everything else on the account."""
        return max(0.0, self.documented - self.rate)


def quota_bars(store: Store, *, readable: Readable) -> tuple[QuotaBar, ...]:
    """One bar for each account that a migration of the reader's uses."""
    with reading(store, readable) as reader:
        rows = reader.rows(QUERIES.account_rates, most=_MOST_ACCOUNTS)
        accounts = [row["account"] for row in rows]
        users = reader.rows(QUERIES.account_users, accounts=accounts, seconds=LAST_SECONDS)
    return tuple(_bar(row, [user for user in users if user["account"] == row["account"]]) for row in rows)


def _bar(row: Mapping[str, Any], users: Sequence[Mapping[str, Any]]) -> QuotaBar:
    calls = sum(user["calls"] for user in users)
    return QuotaBar(
        **row,
        documented=DOCUMENTED_CALLS_PER_SECOND,
        users=tuple(
            QuotaUser(migration=user["migration"], run_id=user["run_id"], calls_per_second=user["calls"] / LAST_SECONDS)
            for user in users
        ),
        throttled=sum(user["throttled"] for user in users) / calls if calls else 0.0,
    )
