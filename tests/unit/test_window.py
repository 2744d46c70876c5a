"""Windows over midnight, and over the hours that the clock skips or shows twice."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from vod_migrate.migration.window import Window, parse_window
from vod_migrate.plan.estimate import expected_runs

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour of summer time
        "Africa/Casablanca",  # summer time that ends for Ramadan
        "America/Santiago",  # changes at midnight
        "Pacific/Apia",  # left out a whole day
        "Asia/Kathmandu",
    )
]
times = some.builds(dt.time, some.integers(0, 23), some.integers(0, 59))
moments = some.datetimes(dt.datetime(2009, 1, 1), dt.datetime(2035, 1, 1), timezones=some.just(dt.UTC))  # noqa: DTZ001 - given one
near_a_change = some.builds(
    lambda day, minutes: dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(minutes=minutes),
    some.sampled_from(
        [dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 3, 8), dt.date(2026, 4, 4), dt.date(2011, 12, 30)]
    ),
    some.integers(-1_500, 1_500),
)
windows = some.builds(
    lambda opens, closes, zone: Window(opens=opens, closes=closes, zone=zone), times, times, some.sampled_from(ZONES)
).filter(lambda window: window.opens != window.closes)


def window(text: str, zone: ZoneInfo = SHANGHAI) -> Window:
    return parse_window(text, zone)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone)


def seconds_open(some_window: Window, start: dt.datetime, end: dt.datetime) -> float:
    """How many seconds it is open between two moments."""
    seconds, moment, until = 0.0, some_window.opens_at(start), end.astimezone(dt.UTC)
    while moment < until:
        closes = some_window.closes_at(moment)
        seconds += (min(closes, until) - moment).total_seconds()
        moment = some_window.opens_at(closes)
    return seconds


@pytest.mark.parametrize(
    ("text", "shown", "reason"),
    [
        ("01:00-07:00", "01:00\u201307:00 (Asia/Shanghai)", "a hyphen"),
        ("01:00\u201307:00", "01:00\u201307:00 (Asia/Shanghai)", "an en dash"),
        (" 1:00 - 7:30 ", "01:00\u201307:30 (Asia/Shanghai)", "spaces and a short hour"),
        ("22:00-24:00", "22:00\u201300:00 (Asia/Shanghai)", "the end of the day"),
        ("22:00-06:00", "22:00\u201306:00 (Asia/Shanghai)", "over midnight"),
    ],
)
def test_a_window_is_written_as_two_times(text: str, shown: str, reason: str) -> None:
    assert str(window(text)) == shown, reason


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("01:00", "HH:MM-HH:MM"),
        ("1-7", "HH:MM-HH:MM"),
        ("01:00-25:00", "25:00"),
        ("01:60-07:00", "01:60"),
        ("24:30-07:00", "24:30"),
        ("07:00-07:00", "omit it"),
        ("00:00-24:00", "omit it"),
        ("", "HH:MM-HH:MM"),
    ],
)
def test_what_is_no_window_is_refused_with_the_fix(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        window(text)


@pytest.mark.parametrize(
    ("text", "now", "is_open"),
    [
        ("01:00-07:00", "2026-11-22T00:59:59", False),
        ("01:00-07:00", "2026-11-22T01:00:00", True),
        ("01:00-07:00", "2026-11-22T06:59:59", True),
        ("01:00-07:00", "2026-11-22T07:00:00", False),
        ("22:00-06:00", "2026-11-22T21:59:59", False),
        ("22:00-06:00", "2026-11-22T23:00:00", True),
        ("22:00-06:00", "2026-11-22T00:00:00", True),
        ("22:00-06:00", "2026-11-22T06:00:00", False),
        ("22:00-24:00", "2026-11-22T23:59:59", True),
        ("22:00-24:00", "2026-11-22T00:00:00", False),
        ("00:00-06:00", "2026-11-22T00:00:00", True),
    ],
)
def test_a_window_is_open_from_its_first_moment_to_before_its_last(text: str, now: str, is_open: bool) -> None:
    assert window(text).is_open(at(now)) is is_open


@pytest.mark.parametrize(
    ("text", "day", "hours", "reason"),
    [
        ("01:00-07:00", "2026-03-29", 5, "the hour from two to three is left out"),
        ("01:00-07:00", "2026-10-25", 7, "the hour from two to three is shown twice"),
        ("02:00-03:00", "2026-03-29", 0, "the whole window is left out"),
        ("02:30-03:30", "2026-03-29", 0.5, "it begins in the hour that is left out"),
        ("02:00-03:00", "2026-10-25", 2, "it is shown twice"),
        ("02:15-02:45", "2026-10-25", 1, "it opens twice"),
    ],
)
def test_a_night_has_what_the_wall_clock_shows_of_the_window(text: str, day: str, hours: float, reason: str) -> None:
    midnight = at(day, BERLIN)
    assert seconds_open(window(text, BERLIN), midnight, midnight + dt.timedelta(days=1)) == hours * 3600, reason


def test_work_longer_than_a_window_goes_on_in_the_next_nights() -> None:
    night = window("01:00-07:00")
    for begun, hours, expected in [
        ("2026-11-22T02:00:00", 1, (1, at("2026-11-22T03:00:00"))),
        ("2026-11-22T12:00:00", 1, (1, at("2026-11-23T02:00:00"))),
        ("2026-11-22T06:00:00", 8, (3, at("2026-11-24T02:00:00"))),
        ("2026-11-22T06:00:00", 1, (1, at("2026-11-22T07:00:00"))),
    ]:
        assert expected_runs(at(begun), hours * 3600, window=night) == expected


@settings(max_examples=150, deadline=None)
@given(windows, moments | near_a_change, some.integers(0, 4 * 86_400))
def test_what_opens_and_closes_next_is_the_first_moment_at_which_it_does(
    some_window: Window, now: dt.datetime, later: int
) -> None:
    opens, closes = some_window.opens_at(now), some_window.closes_at(now)
    assert min(opens, closes) == now
    assert some_window.is_open(opens)
    assert not some_window.is_open(closes)
    assert max(opens, closes) - now <= dt.timedelta(days=3)
    between = now + dt.timedelta(seconds=later)
    if between < max(opens, closes):
        assert some_window.is_open(between) is some_window.is_open(now)


@settings(max_examples=60, deadline=None)
@given(
    windows, near_a_change, some.floats(1, 24_000)
)  # the shortest window gives 60 s to each of the runs that are followed
def test_work_takes_as_much_open_window_as_it_needs(some_window: Window, now: dt.datetime, seconds: float) -> None:
    done = expected_runs(now, seconds, window=some_window).end
    assert seconds_open(some_window, now, done) == pytest.approx(seconds, abs=1e-3)
