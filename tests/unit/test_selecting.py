"""Selection keeps an object or names the first reason that leaves it out."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.selection import Selection, extension_of
from vod_migrate.media import MediaObject
from vod_migrate.migration.source import MEDIA_EXTENSIONS, Select
from vod_migrate.report import diagnosis

NOON = dt.datetime(2024, 5, 1, 12, 0, tzinfo=dt.UTC)


def stored(
    key: str = "a.mp4", *, size: int = 5, storage_class: str = "Standard", modified: dt.datetime = NOON
) -> MediaObject:
    return MediaObject(bucket="abc", key=key, size=size, etag="E", last_modified=modified, storage_class=storage_class)


@pytest.mark.parametrize(
    ("found", "rules", "reason"),
    [
        pytest.param(stored(), {}, None, id="a film is kept"),
        pytest.param(stored("A.MP4"), {}, None, id="extensions know no case"),
        pytest.param(stored("a.b/c.tar.mp4"), {}, None, id="the last extension counts"),
        pytest.param(stored(storage_class="IA"), {}, None, id="infrequent access can be read"),
        pytest.param(stored("a.mp4/"), {}, "folder_marker", id="a folder that is called like a film"),
        pytest.param(stored("a.mp4/b"), {}, "no_extension", id="the folder's extension is not the file's"),
        pytest.param(stored(".mp4"), {}, "no_extension", id="a hidden file without an extension"),
        pytest.param(stored("a."), {}, "no_extension", id="a dot without an extension"),
        pytest.param(stored("a.jpg"), {}, "extension", id="an image"),
        pytest.param(stored("a.mp4 "), {}, "extension", id="a space behind the extension"),
        pytest.param(stored("a.mov"), {"extensions": ["mp4"]}, "extension", id="not asked for"),
        pytest.param(stored(size=0), {}, "empty", id="no bytes"),
        pytest.param(stored(size=0), {"min_size": 0}, None, id="no bytes, and that is allowed"),
        pytest.param(stored(size=9), {"min_size": 10}, "too_small", id="one byte short"),
        pytest.param(stored(size=10), {"min_size": 10, "max_size": 10}, None, id="exactly both bounds"),
        pytest.param(stored(size=11), {"max_size": 10}, "too_large", id="one byte over"),
        pytest.param(stored(storage_class="Archive"), {}, "archived", id="archived"),
        pytest.param(stored(storage_class="DeepColdArchive"), {}, "archived", id="archived deeply"),
        pytest.param(stored(storage_class="Archive"), {"storage_classes": ["Archive"]}, None, id="archived, asked for"),
        pytest.param(
            stored(storage_class="IA"), {"storage_classes": ["Standard"]}, "storage_class", id="another class"
        ),
        pytest.param(stored("a\x00.mp4"), {}, "unstorable_key", id="a NUL"),
        pytest.param(stored("a\udcff.mp4"), {}, "unstorable_key", id="bytes that are not UTF-8"),
        pytest.param(stored("a.jpg", size=0), {}, "extension", id="the first of two reasons"),
    ],
)
def test_an_object_is_kept_or_left_out_for_the_first_reason(
    found: MediaObject, rules: dict[str, Any], reason: str | None
) -> None:
    assert Selection(Select(**rules), now=NOON).reason(found) == reason


@pytest.mark.parametrize(
    ("seconds", "reason"), [(-1, "not_modified_since"), (0, None), (1, None)], ids=["before", "at", "after"]
)
def test_modified_since_includes_its_own_moment_in_any_zone(seconds: int, reason: str | None) -> None:
    since = NOON.astimezone(dt.timezone(dt.timedelta(hours=8)))
    found = stored(modified=NOON + dt.timedelta(seconds=seconds))
    assert Selection(Select(), now=NOON, modified_since=since).reason(found) == reason


@given(
    some.lists(
        some.builds(
            stored,
            some.text("aä./\x00M", max_size=6).map(lambda stem: f"{stem}.mp4") | some.text(max_size=6),
            size=some.integers(0, 3),
            storage_class=some.sampled_from(["Standard", "IA", "Archive", "Other", ""]),
        )
    )
)
def test_every_object_of_a_page_is_kept_in_order_or_counted_under_a_known_reason(objects: list[MediaObject]) -> None:
    chosen = Selection(Select(), now=NOON).select(ListedPage(objects=tuple(objects), cursor=None))
    assert len(chosen.kept) + sum(chosen.left_out.values()) == len(objects)
    assert set(chosen.left_out) <= set(diagnosis._REASONS)
    places = [next(i for i, found in enumerate(objects) if found is one) for one in chosen.kept]
    assert places == sorted(places)
    assert all(extension_of(one.key) in MEDIA_EXTENSIONS for one in chosen.kept)
