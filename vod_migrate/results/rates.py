"""The paces of an account: its own, and those of migrations and runs below it. See register/quota.py."""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress

import psycopg

from vod_migrate.errors import StoreUnreachable
from vod_migrate.rate.limiter import LookAhead, Reservation
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session


class Rates(Session):
    """What may happen to a pace."""

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none. Returns the rate that it says."""
        stored = self._do(lambda c: QUERIES.keep_quota(c, account=account, api=api, rate=rate))
        return rate if stored is None else float(stored[0])

    def set_quota(self, account: str, api: str, rate: float) -> None:
        """Changes the account's pace, for everybody, at once."""
        self._do(lambda c: QUERIES.set_quota(c, account=account, api=api, rate=rate))

    def keep_cap(self, account: str, api: str, scope: str, rate: float) -> None:
        """A pace of a migration's or a run's own, passed before the account's."""
        self._do(lambda c: QUERIES.keep_cap(c, account=account, api=api, scope=scope, rate=rate))

    def change_cap(self, account: str, api: str, scope: str, rate: float) -> None:
        """The same by a person's hand, while it runs: workers follow within seconds."""
        self._do(lambda c: QUERIES.change_cap(c, account=account, api=api, scope=scope, rate=rate))

    def settle_migration_cap(self, run: Run, api: str) -> None:
        """A run begins: its migration's own pace is what the file says, unless another run of it goes by what is there."""
        rate = run.spec.register_.calls_per_second
        self._do(
            lambda c: QUERIES.settle_migration_cap(
                c, account=run.account, api=api, migration=run.migration, run_id=run.run_id, rate=rate
            )
        )

    def drop_cap(self, account: str, api: str, scope: str) -> None:
        """A run's own pace ends with it."""
        self._do(lambda c: QUERIES.drop_cap(c, account=account, api=api, scope=scope))

    def quotas(self) -> list[tuple[str, str, str, float, float]]:
        """(account, api, scope, rate, share in force now) of every pace."""
        return self._do(lambda c: list(QUERIES.list_quotas(c)))

    def reserve_slot(self, account: str, api: str, scope: str, *, priority: int, look: LookAhead) -> Reservation:
        """The next slot on this process's monotonic clock, or after how long to ask again."""
        asked = {"account": account, "api": api, "scope": scope, "priority": priority, **dataclasses.asdict(look)}

        def work(connection: psycopg.Connection) -> Reservation:
            row = QUERIES.reserve_slot(connection, **asked)
            # Read off here, where the answer has just come: waiting for anything else would make the slot look later.
            now = time.monotonic()
            if row is not None:
                return Reservation(due=now + float(row[0]) - float(row[1]))
            seconds = QUERIES.seconds_to_slot(connection, **asked)
            if seconds is None:
                raise KeyError(scope)
            return Reservation(ask_again_in=float(seconds))

        return self._do(work, pool=self._pacing)

    def slow_down(self, account: str, api: str, *, cut: float, most_cut: float, lowest: float, pause: float) -> None:
        """The service throttled a call: the account's row slows down for everyone."""
        with suppress(StoreUnreachable):
            self._do(
                lambda c: QUERIES.slow_down(
                    c, account=account, api=api, cut=cut, most_cut=most_cut, lowest=lowest, pause=pause
                ),
                pool=self._pacing,
            )
