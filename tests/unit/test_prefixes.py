"""Prefixes and verdicts of a run, as the engine derives them without a store."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.errors import BadOption
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import parse_options
from vod_migrate.run.request import _disjoint, _prefixes

DAY = dt.date(2024, 2, 29)
INTERVAL = (dt.datetime(2024, 2, 28, 17, 0, tzinfo=dt.UTC), dt.datetime(2024, 2, 29, 17, 0, tzinfo=dt.UTC))


def migration(*prefixes: str, timezone: str = "Asia/Shanghai") -> Migration:
    return parse_migration(
        {
            "name": "nightly",
            "source": {"bucket": "abc", "prefixes": list(prefixes) or [""]},
            "register": {"template_group_id": "x"},
            "timezone": timezone,
        },
        origin="test",
    )


def made(*prefixes: str, date: dt.date | None = DAY, interval: Any = INTERVAL, **options: Any) -> list[str]:
    return _prefixes(migration(*prefixes), parse_options(options), date, interval)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("films/", "films/"),
        ("{{ date }}/", "2024-02-29/"),
        ("{{- date -}}/", "2024-02-29/"),
        ("{{ date.strftime('%Y/%m') }}/", "2024/02/"),
        ("{{ interval_start.isoformat() }}", "2024-02-29T01:00:00+08:00"),
        ("{{ interval_end.date() }}/", "2024-03-01/"),
        ("节目/{{ date.year }}/", "节目/2024/"),
        ("100%/{% raw %}{{ date }}{% endraw %}", "100%/{{ date }}"),
    ],
)
def test_a_prefix_is_made_in_the_migrations_own_time_zone(template: str, expected: str) -> None:
    assert made(template) == [expected]


@pytest.mark.parametrize(
    ("template", "given", "says"),
    [
        pytest.param("{{ date }}/", {"date": None}, "--date", id="a dated prefix without a date"),
        pytest.param("{{ interval_start }}/", {"interval": None}, "by its schedule", id="an interval by hand"),
        pytest.param("{{ date - 1 }}/", {}, "correct the template", id="a number is no time span"),
        pytest.param("{{ date.replace(day=31) }}/", {}, "correct the template", id="a day that the month lacks"),
        pytest.param("{{ date.midnight }}/", {}, "correct the template", id="no such attribute"),
        pytest.param("{{ 1 // 0 }}/", {}, "correct the template", id="arithmetic that fails"),
        pytest.param("{{ date.__class__.__mro__ }}", {}, "correct the template", id="a way out of the sandbox"),
    ],
)
def test_a_prefix_that_cannot_be_made_is_a_bad_option_with_the_right_fix(
    template: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadOption, match="cannot be rendered") as caught:
        made(template, **given)
    assert says in str(caught.value)
    assert repr(template) in str(caught.value)


def test_a_date_given_by_hand_leaves_no_interval_of_another_day_behind() -> None:
    with pytest.raises(BadOption, match="interval_start"):
        _prefixes(migration("{{ interval_start }}/"), parse_options({"date": "2024-01-01"}), DAY, INTERVAL)


def test_prefixes_of_the_run_replace_those_of_the_file() -> None:
    assert made("films/", prefixes=["music/{{ date }}/"]) == ["music/2024-02-29/"]


@given(some.lists(some.text("ab/", max_size=4), min_size=1, max_size=8))
def test_disjoint_prefixes_cover_the_same_keys_and_none_twice(prefixes: list[str]) -> None:
    kept = _disjoint(prefixes)
    for prefix in prefixes:
        assert sum(prefix.startswith(one) for one in kept) == 1
    for one in kept:
        assert one in prefixes
        assert not any(other.startswith(one) for other in kept if other != one)
