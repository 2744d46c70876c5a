"""A run a night stands for a local day a night, in every zone of the tz database, whatever its clocks do in ten years."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo, available_timezones

from airflow.sdk import CronDataIntervalTimetable
from airflow.serialization.encoders import coerce_to_core_timetable
from pendulum import instance

from vod_migrate.migration.schedule import day_of

FIRST, LAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
SCHEDULES = (
    "0 23 * * *",
    "30 23 * * *",
    "59 23 * * *",
    "30 22 * * *",
    "0 0 * * *",
    "15 0 * * *",
    "45 0 * * *",
    "30 2 * * *",
)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
NIGHTS = 6


def changes(zone: ZoneInfo) -> Iterator[dt.datetime]:
    """The hours, in UTC, within which a zone's clocks change."""
    at = FIRST
    while at < LAST:
        if at.astimezone(zone).utcoffset() != (at + DAY).astimezone(zone).utcoffset():
            yield next(
                hour
                for hour in (at + number * HOUR for number in range(24))
                if hour.astimezone(zone).utcoffset() != (hour + HOUR).astimezone(zone).utcoffset()
            )
        at += DAY


def kinds() -> dict[tuple[str, ...], tuple[str, dt.datetime]]:
    """A zone and a change of its clocks for each kind: what the wall shows before and after it."""
    found: dict[tuple[str, ...], tuple[str, dt.datetime]] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for hour in changes(zone):
            before, after = hour.astimezone(zone), (hour + HOUR).astimezone(zone)
            kind = (f"{before:%H:%M %z}", f"{after:%H:%M %z}")
            found.setdefault(kind, (name, hour))
    return found


def starts(name: str, schedule: str, near: dt.datetime) -> list[dt.datetime]:
    """The starts of the intervals around a moment, as Airflow computes them."""
    timetable = coerce_to_core_timetable(CronDataIntervalTimetable(schedule, timezone=name))
    at = instance(near - 3 * DAY)
    found = []
    for _ in range(NIGHTS):
        at = timetable._get_next(at)
        found.append(at)
    return found


def test_no_local_day_is_skipped_or_doubled_by_a_change_of_clocks() -> None:
    wrong = []
    checked = 0
    for name, hour in kinds().values():
        zone = ZoneInfo(name)
        for schedule in SCHEDULES:
            nights = starts(name, schedule, hour)
            days = [day_of(night, schedule, zone) for night in nights]
            checked += 1
            if [day - days[0] for day in days] != [number * DAY for number in range(NIGHTS)]:
                wrong.append((name, schedule, [str(night.astimezone(zone)) for night in nights], days))
    assert checked > 300
    assert not wrong


def test_the_change_of_clocks_in_nuuk_is_one_that_needs_it() -> None:
    nights = starts("America/Nuuk", "30 23 * * *", dt.datetime(2026, 3, 28, 23, tzinfo=dt.UTC))
    zone = ZoneInfo("America/Nuuk")
    plain = [night.astimezone(zone).date() for night in nights]
    assert len(set(plain)) == NIGHTS - 1
    assert len({day_of(night, "30 23 * * *", zone) for night in nights}) == NIGHTS
    assert day_of(nights[0], None, zone) == plain[0]
