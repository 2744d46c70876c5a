"""Streams in a sorted listing: pages wait for the folders around their segments, leave in order, and memory is bounded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.discover.held_pages import settled_pages
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.stream_text import folder_of
from vod_migrate.discover.streams import Streams, folders_above, is_candidate, is_playlist, is_segment
from vod_migrate.media import MediaObject

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def pages_of(keys: Sequence[str], size: int) -> Iterator[ListedPage]:
    for begin in range(0, max(len(keys), 1), size):
        objects = tuple(
            MediaObject(bucket="abc", key=key, size=1, etag="E", last_modified=NOON)
            for key in keys[begin : begin + size]
        )
        yield ListedPage(objects=objects, cursor=str(begin + size) if begin + size < len(keys) else None)


def settled(
    pages: Iterable[ListedPage],
    *,
    bucket: Iterable[str] = (),
    asked: list[str] | None = None,
    unsure: Callable[[str], bool] = lambda _: False,
    most: int = 50,
) -> Iterator[ListedPage]:
    """With playlists that cannot be read, in a bucket of these keys."""

    def look(folder: str, _whole: bool) -> list[str]:
        if asked is not None:
            asked.append(folder)
        return [key for key in bucket if folder_of(key) == folder and is_playlist(key)]

    return settled_pages(pages, streams=Streams(read=lambda _: None), look=look, unsure=unsure, most=most)


def parts(pages: Iterable[ListedPage]) -> set[str]:
    return {key for page in pages for key in page.parts}


@pytest.mark.parametrize(
    ("key", "segment", "candidate"),
    [
        ("a/seg1.ts", True, True),
        ("a/SEG1.TS", True, True),
        ("a/1.m4s", True, True),
        ("a/1.m4v", True, True),
        ("a/init.mp4", True, True),
        ("a/init-0.mp4", True, True),
        ("a/video_init.mp4", True, True),
        ("a/stream_init_2.mp4", True, True),
        ("a/seg0.aac", False, True),
        ("a/live7.aac", False, True),
        ("a/0001.mp4", False, True),
        ("a/chunk-stream0-00001.mp4", False, True),
        ("a/film.mp4", False, False),
        ("a/episode 0001.mp4", False, False),
        ("a/01 song.mp3", False, False),
        ("a/initial.mp4", False, False),
        ("a/minit.mp4", False, False),
        ("a/index.m3u8", False, False),
        ("init/film.mp4", False, False),
    ],
)
def test_a_segment_is_told_by_its_name(key: str, segment: bool, candidate: bool) -> None:
    assert (is_segment(key), is_candidate(key.rpartition("/")[2])) == (segment, candidate)


def test_a_playlist_after_thousands_of_segments_and_subfolders_decides_all_of_them() -> None:
    keys = sorted(
        [
            *(f"s/a{n:05}.ts" for n in range(3_000)),
            "s/extra/lone.ts",
            *(f"s/b/{n:03}.ts" for n in range(50)),
            "s/z.m3u8",
        ]
    )
    asked: list[str] = []
    pages = list(settled(pages_of(keys, 100), asked=asked))
    assert [found.key for page in pages for found in page.objects] == keys
    assert parts(pages) == {key for key in keys if key.endswith(".ts")} - {"s/extra/lone.ts"}
    assert {key for page in pages for key in page.suspects} == {"s/extra/lone.ts"}
    assert asked == []


def test_a_page_is_held_back_only_as_long_as_a_folder_around_its_segments_is_open() -> None:
    keys = [
        *(f"a/{n}x.mp4" for n in range(4)),
        "b/x/1.ts",
        "b/x/2.ts",
        "b/y/1x.mp4",
        "b/y/2x.mp4",
        "c/1x.mp4",
        "d/2x.mp4",
    ]
    read: list[str | None] = []

    def source() -> Iterator[ListedPage]:
        for page in pages_of(keys, 2):
            read.append(page.cursor)
            yield page

    seen = [(page.cursor, len(read)) for page in settled(source())]
    assert seen == [("2", 1), ("4", 2), ("6", 5), ("8", 5), (None, 5)]


def test_folders_that_stay_open_too_long_are_looked_into_once() -> None:
    keys = sorted([f"s/{n:04}.ts" for n in range(500)])
    asked: list[str] = []
    assert parts(settled(pages_of(keys, 10), bucket=["s/z.m3u8"], asked=asked, most=5)) == set(keys)
    assert asked == ["s/", ""]


@pytest.mark.parametrize(("name", "whole"), [("{:04}.ts", True), ("{:04}.mp4", False), ("seg{:04}.aac", False)])
def test_only_a_folder_of_segments_is_listed_a_second_time_as_a_whole(name: str, whole: bool) -> None:
    asked: list[tuple[str, bool]] = []

    def look(folder: str, whole: bool) -> list[str]:
        asked.append((folder, whole))
        return []

    keys = [f"s/{name.format(n)}" for n in range(500)]
    streams = Streams(read=lambda _: None)
    assert parts(settled_pages(pages_of(keys, 10), streams=streams, look=look, most=5)) == set()
    assert asked == [("s/", whole), ("", False)]


def test_a_listing_that_begins_inside_a_folder_asks_about_it_and_its_parents_only() -> None:
    keys = ["s/a/9.ts", "s/b/1.ts", "s/x.ts", "t/1.ts"]
    asked: list[str] = []
    begun = folders_above("s/a/8.ts")
    pages = list(settled(pages_of(keys, 2), bucket=["s/a/0.m3u8"], asked=asked, unsure=begun.__contains__))
    assert (parts(pages), asked) == ({"s/a/9.ts"}, ["s/a/", "s/", "s/", ""]), "once for its beginning, once as a whole"


def test_memory_is_bounded_by_the_pages_held() -> None:
    keys = sorted([*(f"{n:05}/x.ts" for n in range(5_000)), "top.ts"])
    held = read = 0
    asked: list[str] = []

    def source() -> Iterator[ListedPage]:
        nonlocal read
        for page in pages_of(keys, 10):
            read += 1
            yield page

    for given_out, _ in enumerate(settled(source(), asked=asked, most=7), start=1):
        held = max(held, read - given_out)
    assert held <= 8
    assert asked == [""], "the listing itself shows the others"


def test_what_is_known_is_forgotten_when_the_listing_has_left_it() -> None:
    streams = Streams(read=lambda _: None)
    keys = [name for n in range(2_000) for name in (f"{n:05}/1.ts", f"{n:05}/x.m3u8")]
    pages = settled_pages(pages_of(keys, 10), streams=streams, look=lambda _folder, _whole: [])
    assert len(parts(pages)) == 2_000
    assert len(streams._vague) + len(streams._waiting) < 100


NAMES = some.sampled_from(["a.ts", "b.m4s", "m.m3u8", "z.m3u8", "film.mp4", "init.mp4", "c1.ts", "zz.ts", "seg1.aac"])
FOLDERS = some.sampled_from(["", "a/", "a/b/", "a/b/c/", "b/", "ab/"])


@given(
    some.sets(some.builds(str.__add__, FOLDERS, NAMES)), some.integers(1, 5), some.integers(0, 4), some.integers(0, 40)
)
def test_the_verdict_is_that_of_a_person_who_sees_the_whole_bucket(
    bucket: set[str], size: int, most: int, resumed: int
) -> None:
    keys = sorted(bucket)
    expected = parts(settled(pages_of(keys, 1_000)))
    begin = min(resumed, len(keys))
    unsure = folders_above(keys[begin - 1]) if begin else set()
    pages = list(settled(pages_of(keys[begin:], size), bucket=keys, unsure=unsure.__contains__, most=most))
    assert [found.key for page in pages for found in page.objects] == keys[begin:]
    assert parts(pages) == {key for key in expected if key in keys[begin:]}
