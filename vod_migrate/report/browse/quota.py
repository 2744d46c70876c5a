"""An account's quota as one bar: who uses how much of it now, what is throttled, what is left, and what is kept for others."""

from __future__ import annotations

from dataclasses import dataclass

from vod_migrate.report.browse.access import QUERIES, Readable, filters, read_only
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
    than 1 after throttling; throttled: the share of the last minute's calls that VOD refused for their number.
    """

    account: str
    documented: float
    rate: float
    share: float
    users: tuple[QuotaUser, ...]
    throttled: float

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
    with read_only(store) as connection:
        rates = list(QUERIES.account_rates(connection, most=_MOST_ACCOUNTS, **filters(readable)))
        accounts = [account for account, _, _ in rates]
        users: dict[str, list[QuotaUser]] = {account: [] for account in accounts}
        calls = dict.fromkeys(accounts, 0)
        throttled = dict.fromkeys(accounts, 0)
        for account, migration, run_id, sent, refused in QUERIES.account_users(
            connection, accounts=accounts, seconds=LAST_SECONDS, **filters(readable)
        ):
            user = QuotaUser(migration=migration, run_id=run_id, calls_per_second=sent / LAST_SECONDS)
            users[account].append(user)
            calls[account] += sent
            throttled[account] += refused
    return tuple(
        QuotaBar(
            account=account,
            documented=DOCUMENTED_CALLS_PER_SECOND,
            rate=float(rate),
            share=float(share),
            users=tuple(users[account]),
            throttled=throttled[account] / calls[account] if calls[account] else 0.0,
        )
        for account, rate, share in rates
    )
