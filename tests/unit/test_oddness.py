"""Which keys a canary holds, and what is said of files that failed together."""

from __future__ import annotations

import pytest

from vod_migrate.media import MediaObject
from vod_migrate.register.canary_keys import Failure, in_common, key_traits, pick_canary


def found(key: str, storage_class: str = "Standard") -> MediaObject:
    return MediaObject(bucket="b", key=key, size=1, etag="", last_modified=None, storage_class=storage_class)


def failure(key: str, code: str = "file_refused", storage_class: str = "Standard") -> Failure:
    return Failure(found=found(key, storage_class), code=code, message="")


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("a/b-1.mp4", set()),
        ("节目/a.mp4", {"not ASCII"}),
        ("a/\U0001f600.mp4", {"not ASCII", "emoji"}),
        ("a/cafe\u0301.mp4", {"not ASCII", "decomposed letters"}),
        ("a b.mp4", {"a space"}),
        ("a+b.mp4", {"a plus sign"}),
        ("100%.mp4", {"a percent sign"}),
        ("a%20b.mp4", {"a percent sign", "apparent percent-encoding"}),
        ("a?b#c.mp4", {"a URL delimiter"}),
        ("a'(1).mp4", {"quotes or brackets"}),
        ("a\tb.mp4", {"unprintable characters"}),
        ("a//b.mp4", {"odd slashes"}),
        ("a /b.mp4", {"a space", "a leading or trailing space"}),
        ("a" * 700, {"an unusual length"}),
    ],
)
def test_a_key_is_odd_in_the_kinds_that_matter_in_a_url(key: str, kinds: set[str]) -> None:
    assert key_traits(key) == kinds


def test_ten_are_chosen_of_as_many_kinds_as_there_are_and_two_of_them_are_plain() -> None:
    odd = ["a b", "a+b", "100%", "节目", "\U0001f600", "a?b", "a\tb", "a//b", "(1)", "x" * 700]
    pool = [found(f"{number}.mp4") for number in range(500)] + [found(f"{key}-{n}") for key in odd for n in range(50)]
    chosen = [one.key for one in pick_canary(pool)]
    assert len(chosen) == len(set(chosen)) == 10
    assert chosen[-2:] == ["0.mp4", "1.mp4"]
    assert len(frozenset().union(*(key_traits(key) for key in chosen))) == 9


def test_where_few_are_odd_plain_ones_fill_up_and_of_few_all_are_taken() -> None:
    pool = [found(f"{number}.mp4") for number in range(20)] + [found("a b.mp4")]
    assert [one.key for one in pick_canary(pool)] == ["a b.mp4", *(f"{n}.mp4" for n in range(9))]
    assert len(pick_canary(pool[:3])) == 3


@pytest.mark.parametrize(
    ("failures", "shared"),
    [
        ([failure("x/a 1.MOV"), failure("x/b 2.mov")], ["the reply file_refused", "the extension .mov", "the folder 'x/'", "a space in the key"]),
        ([failure("a.mp4", "A"), failure("b.mp3", "B")], []),
        ([failure("a/b/1", storage_class="IA"), failure("a/c/2", storage_class="IA")], ["the reply file_refused", "that they have no extension", "the folder 'a/'", "the storage class IA"]),
        ([failure("shows-1/a.mp4"), failure("shows-2/a.mp4")], ["the reply file_refused", "the extension .mp4"]),
    ],
)  # fmt: skip
def test_what_failed_files_share_is_said_and_what_only_some_have_is_not(
    failures: list[Failure], shared: list[str]
) -> None:
    assert in_common(failures) == shared
