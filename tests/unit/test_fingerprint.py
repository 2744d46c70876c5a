"""The fingerprint of what was selected: the same for the same objects, another one for any difference that matters."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.results.fingerprint import NOTHING, added, fingerprint

NOON = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
OBJECT = MediaObject(bucket="b", key="a/1.mp4", size=5, etag="E", last_modified=NOON)
DIFFERENCES: list[tuple[str, dict[str, Any]]] = [
    ("another key", {"key": "a/2.mp4"}),
    ("another size", {"size": 6}),
    ("no size", {"size": None}),
    ("another etag", {"etag": "F"}),
    ("no etag", {"etag": None}),
    ("another time", {"last_modified": NOON + dt.timedelta(seconds=1)}),
    ("a title in its manifest", {"row": {"title": "One"}}),
]


def objects(keys: list[str]) -> list[MediaObject]:
    return [replace(OBJECT, key=key) for key in keys]


@given(st.lists(st.text(min_size=1).filter(lambda key: "\x00" not in key)), st.randoms(), st.integers(0, 20))
def test_neither_order_nor_pages_matter(keys: list[str], chance: Any, cut: int) -> None:
    shuffled = objects(keys)
    chance.shuffle(shuffled)
    assert added(fingerprint(shuffled[:cut]), fingerprint(shuffled[cut:])) == fingerprint(objects(keys))


@pytest.mark.parametrize("change", [case[1] for case in DIFFERENCES], ids=[case[0] for case in DIFFERENCES])
def test_what_a_call_follows_from_matters(change: dict[str, Any]) -> None:
    assert fingerprint([replace(OBJECT, **change)]) != fingerprint([OBJECT])


def test_an_object_that_is_taken_twice_counts_twice() -> None:
    assert fingerprint([OBJECT, OBJECT]) != fingerprint([OBJECT])


def test_a_lifecycle_rule_that_moves_objects_to_another_class_changes_nothing() -> None:
    assert fingerprint([replace(OBJECT, storage_class="IA")]) == fingerprint([OBJECT])


def test_the_same_moment_in_another_zone_is_the_same_moment() -> None:
    elsewhere = NOON.astimezone(dt.timezone(dt.timedelta(hours=8)))
    assert fingerprint([replace(OBJECT, last_modified=elsewhere)]) == fingerprint([OBJECT])


def test_a_broken_row_counts_with_its_code() -> None:
    row = BrokenRow(key="a", code="row_value", message="line 3")
    assert fingerprint([], [row]) != NOTHING
    assert fingerprint([], [row]) == fingerprint([], [replace(row, message="line 4")])
    assert fingerprint([], [row]) != fingerprint([], [replace(row, code="row_key")])


def test_nothing_adds_nothing() -> None:
    assert fingerprint([]) == NOTHING == added("", "")
    assert added("", fingerprint([OBJECT])) == fingerprint([OBJECT])
