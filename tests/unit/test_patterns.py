"""A regular expression over keys is either quick for every key, or refused when the file is read."""

from __future__ import annotations

import random
import time

import pytest

from vod_migrate.migration.patterns import compile_pattern

KEYS = ["a" * 1023, "/" * 1023, "a-" * 511, "a/" * 511, "-" * 1023, "/-" * 511, "1" * 1023, "é/" * 300, "a/b/c-1.mp4"]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<show>[^/]+)/(?P<season>[^/]+)/(?P<episode>.*)\.mp4",
        r"(?:[^/]+/)*(?P<name>[^/]+)\.mp4$",
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<rest>.+)",
        r"shows/(?P<show>\w+?)/.*",
        r"(?i)(?P<show>[a-z]+)/S(?P<season>\d{1,2})E(?P<episode>\d{1,3})",
        r"(?P<a>.*)/(?P<b>[^/]*)-x",
        r"(?:news|sport|film)/(?P<rest>.+)",
        r"(?:(?P<x>a)|b)+c",
    ],
)
def test_what_people_write_is_taken_and_quick_for_the_worst_keys(pattern: str) -> None:
    compiled = compile_pattern(pattern)
    began = time.monotonic()
    for key in KEYS:
        compiled.match(key)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*$",
        r"(a*)*b",
        r"(x+x+)+y",
        r"(\w+\s?)*$",
        r"([a-z]+)*\d",
        r"(?:(?P<x>a)|ab)+c",
        r"(a{0,30}){0,30}b",
        r".*.*.*x",
        r"(.*?,){11}P",
        r"a?" * 30 + "a" * 30,
        r"(?:aa|a)" * 40 + "c",
        r"(?=(a+)+b)",
        r"(?P<a>.*)/(?P<b>.*)-(?P<c>.*)\.mp4",
        r"(?i)(?:[^S]*s)(?:[^S]*)(?:[^S]*)x.*y",
    ],
)
def test_what_could_run_for_ever_is_refused_with_advice(pattern: str) -> None:
    with pytest.raises(ValueError, match="too long for some keys"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "says"), [("(", "no regular expression"), ("(?P<1>a)", "no regular"), ("x" * 2000, "1,000 at most")]
)
def test_what_is_no_expression_is_refused_with_its_fault(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        compile_pattern(pattern)


def written(draw: random.Random, depth: int = 3) -> str:
    """A random expression over few characters, so that its parts overlap."""

    def atom() -> str:
        kind = draw.random()
        if depth and kind > 0.8:
            return f"{draw.choice(['(', '(?:', '(?=', '(?!'])}{written(draw, depth - 1)}|{written(draw, depth - 1)})"
        if depth and kind > 0.5:
            return f"({written(draw, depth - 1)})"
        return draw.choice(["a", "b", "/", "-", "[ab]", "[^/]", ".", r"\w", "[^a]"])

    return "".join(atom() + draw.choice(["", "", "*", "+", "?", "*?", "{2,5}"]) for _ in range(draw.randint(1, 4)))


@pytest.mark.parametrize("searched", [False, True])
def test_a_random_expression_that_is_taken_is_quick_for_the_worst_keys(*, searched: bool) -> None:
    draw, taken = random.Random(7), 0  # noqa: S311 - repeatable on purpose
    for _ in range(100):
        pattern = written(draw)
        try:
            compiled = compile_pattern(pattern, searched=searched)
        except ValueError:
            continue
        taken += 1
        for key in KEYS:
            began = time.process_time()
            (compiled.search if searched else compiled.match)(key)
            assert time.process_time() - began < 2, pattern
    assert taken > 20
