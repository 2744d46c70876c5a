"""HLS folders in a sorted listing: pages wait for their folders, leave in order, and memory is bounded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.discover.hls import folder_of, folders_above, is_playlist, is_segment, settled_pages
from vod_migrate.discover.page import ListedPage
from vod_migrate.media import MediaObject

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def pages_of(keys: list[str], size: int) -> Iterator[ListedPage]:
    for begin in range(0, max(len(keys), 1), size):
        objects = tuple(
            MediaObject(bucket="abc", key=key, size=1, etag="E", last_modified=NOON)
            for key in keys[begin : begin + size]
        )
        yield ListedPage(objects=objects, cursor=str(begin + size) if begin + size < len(keys) else None)


def never(folder: str) -> bool:
    raise AssertionError(f"{folder!r} was looked into")


def segments(pages: Iterator[ListedPage]) -> set[str]:
    return {
        found.key
        for page in pages
        for found in page.objects
        if is_segment(found.key) and folder_of(found.key) in page.playlists
    }


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/seg1.ts", True),
        ("a/SEG1.TS", True),
        ("a/1.m4s", True),
        ("a/1.m4v", True),
        ("a/init.mp4", True),
        ("a/init-0.mp4", True),
        ("a/video_init.mp4", True),
        ("a/stream_init_2.mp4", True),
        ("a/film.mp4", False),
        ("a/initial.mp4", False),
        ("a/minit.mp4", False),
        ("a/index.m3u8", False),
        ("init/film.mp4", False),
    ],
)
def test_a_segment_is_told_by_its_name(key: str, expected: bool) -> None:
    assert is_segment(key) is expected


def test_a_playlist_after_thousands_of_segments_and_subfolders_decides_all_of_them() -> None:
    keys = sorted(
        [
            *(f"s/a{n:05}.ts" for n in range(3_000)),
            "s/extra/lone.ts",
            *(f"s/b/{n:03}.ts" for n in range(50)),
            "s/z.m3u8",
        ]
    )
    pages = list(settled_pages(pages_of(keys, 100), look=never))
    assert [found.key for page in pages for found in page.objects] == keys
    assert segments(iter(pages)) == {key for key in keys if folder_of(key) == "s/" and key.endswith(".ts")}


def test_a_page_is_held_back_only_as_long_as_a_folder_of_it_is_undecided() -> None:
    keys = [*(f"a/{n}.mp4" for n in range(4)), "b/1.ts", "b/2.ts", "c/1.mp4", "c/2.mp4", "d/1.mp4", "d/2.mp4"]
    read: list[str | None] = []

    def source() -> Iterator[ListedPage]:
        for page in pages_of(keys, 2):
            read.append(page.cursor)
            yield page

    seen = [(page.cursor, len(read)) for page in settled_pages(source(), look=never)]
    assert seen == [("2", 1), ("4", 2), ("6", 4), ("8", 4), (None, 5)]


def test_a_folder_that_stays_open_too_long_is_looked_into_once() -> None:
    keys = sorted([f"s/{n:04}.ts" for n in range(500)])
    asked: list[str] = []

    def look(folder: str) -> bool:
        asked.append(folder)
        return True

    assert segments(settled_pages(pages_of(keys, 10), look=look, most=5)) == set(keys)
    assert asked == ["s/"]


def test_a_listing_that_begins_inside_a_folder_asks_about_it_and_its_parents_only() -> None:
    keys = ["s/a/9.ts", "s/b/1.ts", "s/x.ts", "t/1.ts"]
    asked: list[str] = []

    def look(folder: str) -> bool:
        asked.append(folder)
        return folder == "s/a/"

    found = segments(settled_pages(pages_of(keys, 2), look=look, unsure=folders_above("s/a/8.ts")))
    assert (found, asked) == ({"s/a/9.ts"}, ["s/a/", "s/"])


def test_memory_is_bounded_by_the_pages_held() -> None:
    keys = sorted([*(f"{n:05}/x.ts" for n in range(5_000)), "top.ts"])
    held = read = 0

    def source() -> Iterator[ListedPage]:
        nonlocal read
        for page in pages_of(keys, 10):
            read += 1
            yield page

    for given_out, _ in enumerate(settled_pages(source(), look=never, most=7), start=1):
        held = max(held, read - given_out)
    assert held <= 8


NAMES = some.sampled_from(["a.ts", "b.m4s", "m.m3u8", "z.m3u8", "film.mp4", "init.mp4", "c.ts", "zz.ts"])
FOLDERS = some.sampled_from(["", "a/", "a/b/", "a/b/c/", "b/", "ab/"])


@given(
    some.sets(some.builds(str.__add__, FOLDERS, NAMES)), some.integers(1, 5), some.integers(0, 4), some.integers(0, 40)
)
def test_the_verdict_is_that_of_a_person_who_sees_the_whole_bucket(
    bucket: set[str], size: int, most: int, resumed: int
) -> None:
    keys = sorted(bucket)
    folders = {folder_of(key) for key in keys if is_playlist(key)}
    expected = {key for key in keys if is_segment(key) and folder_of(key) in folders}
    begin = min(resumed, len(keys))
    unsure = folders_above(keys[begin - 1]) if begin else set()
    pages = list(settled_pages(pages_of(keys[begin:], size), look=folders.__contains__, unsure=unsure, most=most))
    assert [found.key for page in pages for found in page.objects] == keys[begin:]
    assert segments(iter(pages)) == {key for key in expected if key in keys[begin:]}
