"""How long a plan takes: the rate in force, how many runs its work needs, and when that would end."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vod_migrate.cloud.connection import Connection
from vod_migrate.migration.model import PauseAfter
from vod_migrate.migration.window import Window
from vod_migrate.plan.model import PlannedRate
from vod_migrate.rate.limiter import ACCOUNT_CALLS_PER_SECOND, API
from vod_migrate.results.rates import Rates
from vod_migrate.results.run import Run

_SECONDS_A_MINUTE = 60
_FOLLOWED_RUNS = 400
"""So many runs are followed one by one; more go on like these."""


class Expectation(NamedTuple):
    """How many runs work takes, one after the other, and when the last of them is done."""

    runs: int
    end: dt.datetime


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


def most_seconds(limits: PauseAfter, *, calls_per_second: float, files_per_call: float) -> float:
    """How long one run may send before a limit pauses it."""
    return min(
        math.inf if limits.calls is None else limits.calls / calls_per_second,
        math.inf if limits.objects is None else limits.objects / max(1.0, files_per_call) / calls_per_second,
        math.inf if limits.minutes is None else limits.minutes * _SECONDS_A_MINUTE,
    )


def expected_runs(
    now: dt.datetime,
    seconds_of_work: float,
    *,
    window: Window | None = None,
    a_run: float = math.inf,
    next_run: Callable[[dt.datetime], dt.datetime] | None = None,
) -> Expectation:
    """The runs that work needs if the first one begins now; the end is in the zone of `now`.

    window: when a run may send, None for always. a_run: for how many seconds at most. next_run: when the schedule begins the next one after a
    moment; None: at once, or when the window opens.
    """
    left, runs, ended = seconds_of_work, 0, now
    for opens, there in _sending(now, window, a_run, next_run):
        runs += 1
        if left <= there:
            return Expectation(runs, (opens + dt.timedelta(seconds=left)).astimezone(now.tzinfo))
        left -= there
        ended = opens + dt.timedelta(seconds=there)
    more = left / (seconds_of_work - left)
    return Expectation(runs + math.ceil(runs * more), (ended + (ended - now) * more).astimezone(now.tzinfo))


def _sending(
    now: dt.datetime, window: Window | None, a_run: float, next_run: Callable[[dt.datetime], dt.datetime] | None
) -> Iterator[tuple[dt.datetime, float]]:
    """When each run begins to send, and for how many seconds it may."""
    moment = now.astimezone(dt.UTC)
    for _ in range(_FOLLOWED_RUNS):
        opens = moment if window is None else window.opens_at(moment)
        there = a_run if window is None else min(a_run, (window.closes_at(opens) - opens).total_seconds())
        yield opens, there
        # A run without any limit does all of the work, so nobody asks for the one after it.
        moment = opens + dt.timedelta(seconds=there)
        if next_run is not None:
            moment = next_run(moment).astimezone(dt.UTC)
