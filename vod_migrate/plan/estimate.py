"""How long a plan takes: the rate in force, and when its work would end."""

from __future__ import annotations

import datetime as dt

from vod_migrate.cloud.connection import Connection
from vod_migrate.migration.window import Window
from vod_migrate.plan.model import PlannedRate
from vod_migrate.rate.limiter import ACCOUNT_CALLS_PER_SECOND, API
from vod_migrate.results.rates import Rates
from vod_migrate.results.run import Run


def planned_rate(store: Rates, connection: Connection, run: Run) -> PlannedRate:
    """The lowest of the rates that a run of this kind must keep to. Makes no row for an account that has none yet."""
    kept = {(account, api, scope): rate for account, api, scope, rate, _ in store.quotas()}
    account = kept.get((run.account, API, ""), connection.calls_per_second or ACCOUNT_CALLS_PER_SECOND)
    rates = [(account, "the account's rate")]
    if run.spec.register_.calls_per_second is not None:
        rates.append((run.spec.register_.calls_per_second, "the migration's register.calls_per_second"))
    if run.options.calls_per_second is not None:
        rates.append((run.options.calls_per_second, "the run's calls_per_second"))
    rate, set_by = min(rates, key=lambda one: one[0])
    return PlannedRate(calls_per_second=rate, set_by=set_by)


def expected_end(now: dt.datetime, seconds_of_work: float, window: Window | None = None) -> dt.datetime:
    """When work that begins now is done, in the zone of `now`. window: when it may be done, None for always."""
    if window is None:
        return now + dt.timedelta(seconds=seconds_of_work)
    return window.end_of_work(now, seconds_of_work).astimezone(now.tzinfo)
