"""When a migration runs by itself: a cron expression or a preset, and the local day that each of its runs stands for.

Airflow's timetable computes the times, with the same library. It shifts a time that the clocks skip to after the gap.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

if TYPE_CHECKING:
    from croniter import croniter  # type: ignore[import-untyped]

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""The presets of Airflow that have a data interval."""

_FIELDS = 5
_YEAR, _STARTS = 366, 400
_DRAWN = re.compile(r"(?<![A-Za-z])[HR](?![A-Za-z])", re.IGNORECASE)


@cache
def time_zones() -> frozenset[str]:
    """The names of the IANA time zones; finding them walks a folder, so it is done once a process."""
    return frozenset(available_timezones())


def check_schedule(schedule: str) -> str:
    """The schedule itself, if it is one that comes.

    Raises:
        ValueError: with the fix.
    """
    if schedule.startswith("@"):
        if schedule not in PRESETS:
            known = ", ".join(PRESETS)
            raise ValueError(f"{schedule!r} has no data interval: use a cron expression or one of {known}")
        return schedule
    if len(schedule.split()) != _FIELDS:
        raise ValueError(f"{schedule!r} is not a cron expression: it has five fields, e.g. '0 1 * * *'")
    if _DRAWN.search(schedule):
        raise ValueError(f"{schedule!r} is not a cron expression with fixed times: write numbers instead of H and R")
    try:
        next_start(schedule, ZoneInfo("UTC"), dt.datetime.now(dt.UTC))
    except ValueError as error:
        raise ValueError(
            f"{schedule!r} is not a cron expression that ever matches ({error}): it has minute, hour, day, month and weekday, e.g. "
            "'0 1 * * *'"
        ) from None
    return schedule


Schedule = Annotated[str, AfterValidator(check_schedule)]
"""A cron expression that comes, or a preset."""


def next_start(schedule: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime:
    """The first time of a schedule after `now`, in its zone.

    Raises:
        ValueError: there is none, or it is not a schedule.
    """
    naive = _cron(schedule, now.astimezone(zone).replace(tzinfo=None)).get_next(dt.datetime)
    return _shown(naive, zone)


def starts_within(schedule: str, seconds: float) -> int:
    """How many times a schedule comes at most in so many seconds, by the shortest time between two starts in a year."""
    start = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - of the wall clock
    times = _cron(schedule, start)
    before, shortest = times.get_next(dt.datetime), dt.timedelta(days=_YEAR)
    for _ in range(_STARTS):
        named = times.get_next(dt.datetime)
        if named - start > dt.timedelta(days=_YEAR):
            break
        shortest, before = min(shortest, named - before), named
    return math.ceil(seconds / shortest.total_seconds())


def day_of(start: dt.datetime, schedule: str | None, zone: ZoneInfo) -> dt.date:
    """The local day of an interval's start: the one that the schedule names, also where the clocks skip its time.

    In Nuuk, the clocks go from Saturday 23:00 to Sunday 00:00 in March. A schedule of 23:30 then starts on Sunday at 00:30, and
    stands for Saturday, since Sunday has a 23:30 of its own.
    """
    shown = start.astimezone(zone)
    if schedule is not None:
        naive = shown.replace(tzinfo=None)
        named: dt.datetime = _cron(schedule, naive + dt.timedelta(seconds=1)).get_prev(dt.datetime)
        if named != naive and _shown(named, zone) == shown:
            return named.date()
    return shown.date()


def _shown(naive: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return naive.replace(tzinfo=zone).astimezone(dt.UTC).astimezone(zone)


def _cron(schedule: str, start: dt.datetime) -> croniter:
    from croniter import croniter  # noqa: PLC0415 - only files with a schedule need it

    return croniter(PRESETS.get(schedule, schedule), start)
