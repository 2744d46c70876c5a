"""Globs and regular expressions over keys: what they match, and which are refused because they could take forever."""

from __future__ import annotations

import time

import pytest

from vod_migrate.migration.patterns import matcher


@pytest.mark.parametrize(
    ("pattern", "key", "fits"),
    [
        ("*.mp4", "a/b/c.mp4", True),
        ("*.mp4", "a.mp4.bak", False),
        ("interviews/*", "interviews/2024/a.mp4", True),
        ("interviews/*", "more/interviews/a.mp4", False),
        ("a?c.mp4", "abc.mp4", True),
        ("节目/[0-9]*", "节目/1集.mp4", True),
        ("*.MP4", "a.mp4", False),
        ("*", "line\nbreak.mp4", True),
        ("re:_v[0-9]+", "a/film_v12.mp4", True),
        ("re:^film", "a/film.mp4", False),
        (r"re:^shows/([^/]+/)*raw/", "shows/a/b/raw/c.mp4", True),
        ("re:(?i)\\.mp4$", "a.MP4", True),
    ],
)
def test_a_glob_covers_the_whole_key_and_an_expression_is_searched_for(pattern: str, key: str, fits: bool) -> None:
    assert matcher(pattern)(key) is fits


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("", "is empty"),
        ("/a/*", "no key begins with '/'"),
        ("re:", "nothing after"),
        ("re:(", "not a regular expression"),
        ("re:[z-a]", "not a regular expression"),
        ("re:*a", "not a regular expression"),
        ("re:(.*)\\1", "too long for some keys"),
        ("re:^(?!.*draft)", "too long for some keys"),
        ("a" * 1_001, "1,001 characters"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_the_fix(pattern: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        matcher(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"re:(a+)+$",
        r"re:(a*)*b",
        r"re:(?:a?a?)+b",
        r"re:(?:.*,)*x",
        r"re:(a|ab|b)*c",
        r"re:.*.*.*.*x",
        "re:/raw/.*_v[0-9]+",
        "re:(?i)s[0-9]{1,2}e[0-9]{1,3}",
        *("*a" * n + "*b" for n in (1, 4, 100)),
        r"re:(?:[^/]+/)*x$",
        "re:^[^.]*\\.[^.]*\\.b$",
        "re:(?:foo|bar)+x",
    ],
)
def test_an_accepted_pattern_is_quick_on_the_longest_keys(pattern: str) -> None:
    fits = matcher(pattern)
    began = time.process_time()
    for key in ("a" * 1_023, "a/" * 511, "foobar" * 170, "." * 1_023):
        fits(key)
    assert time.process_time() - began < 1
