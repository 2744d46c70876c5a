"""The rates of an account: its own, and those of migrations and runs below it. See rate/limiter.py."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from vod_migrate.errors import StoreUnreachable
from vod_migrate.rate.limiter import (
    API,
    CUT,
    LOOK_AHEAD,
    LOWEST,
    MOST_CUT,
    MOST_PAUSE_SECONDS,
    Reservation,
    run_scope,
)
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, StoreConnection

log = logging.getLogger(__name__)


class Rates(Session):
    """What may happen to a rate."""

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none. Returns the rate that it says."""
        stored = self._ask(QUERIES.keep_quota, account=account, api=api, rate=rate)
        return rate if stored is None else float(stored)

    def set_quota(self, account: str, api: str, rate: float, *, scope: str = "") -> None:
        """A person changes the account's rate, or that of a migration or run in it: for everybody, within seconds."""
        self._ask(QUERIES.set_rate, account=account, api=api, scope=scope, rate=rate)

    def keep_caps(self, run: Run) -> None:
        """A run begins: its own rate, and its migration's as the file says, unless another run of it goes by what is there."""
        quota: dict[str, Any] = {"account": run.account, "api": API}
        own, migrations = run.options.calls_per_second, run.spec.register_.calls_per_second
        self._ask(QUERIES.settle_migration_cap, **quota, **run.numbers, migration=run.migration, rate=migrations)
        if own is not None:
            self._ask(QUERIES.keep_cap, **quota, scope=run_scope(run.run_id), rate=own)

    def drop_cap(self, account: str, api: str, scope: str) -> None:
        """A run's own rate ends with it."""
        self._ask(QUERIES.drop_cap, account=account, api=api, scope=scope)

    def connections_of_account(self, account: str) -> list[str]:
        """The IDs of the Airflow connections whose runs used the account's rates, in order."""
        return [row["connection"] for row in self._ask(QUERIES.connections_of_account, account=account)]

    def quotas(self) -> list[tuple[str, str, str, float, float]]:
        """(account, api, scope, rate, share in force now) of every rate."""
        rows = self._ask(QUERIES.list_quotas)
        return [(row["account"], row["api"], row["scope"], row["rate"], row["share"]) for row in rows]

    def reserve_slots(self, account: str, api: str, scope: str, *, count: int, priority: int) -> Reservation:
        """The next slots on this process's monotonic clock, up to so many; or after how long to ask again."""
        asked = {"account": account, "api": api, "scope": scope, "priority": priority, **asdict(LOOK_AHEAD)}

        def work(connection: StoreConnection) -> Reservation:
            asks = count
            while asks:
                row = QUERIES.reserve_slots(connection, **asked, count=float(asks))
                # Read off here, where the answer has just come: waiting for anything else would make the slots look later.
                now = time.monotonic()
                if row is not None:
                    first = now + row["booked_until"] - asks * row["interval"]
                    due = tuple(first + place * row["interval"] for place in range(asks))
                    return Reservation(due=due, interval=row["interval"])
                asks //= 2
            later = QUERIES.seconds_to_slot(connection, **asked, most_pause=MOST_PAUSE_SECONDS)
            if later is None:
                raise KeyError(scope)
            if later["stepped_back"]:
                log.warning(
                    "the database's clock stepped back: the rate of account %r%s was booked far ahead, and starts again now",
                    account,
                    f" ({scope})" if scope else "",
                )
            return Reservation(ask_again_in=later["seconds"])

        return self._do(work, pool=self._rate_pool)

    def slow_down(self, account: str, api: str, *, pause: float) -> None:
        """The service throttled a call: the account's row slows down for everyone."""
        with suppress(StoreUnreachable):
            self._ask(
                QUERIES.slow_down,
                account=account,
                api=api,
                cut=CUT,
                most_cut=MOST_CUT,
                lowest=LOWEST,
                pause=pause,
                pool=self._rate_pool,
            )
