"""A regular expression over keys is quick for every key, or refused when the file is read; it matches as Python's own does."""

# ruff: noqa: RUF001 - full-width characters are the point

from __future__ import annotations

import re
import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.migration.patterns import KeyPattern, matcher

KEYS = ["a" * 1023, "/" * 1023, "a-" * 511, "a/" * 511, "-" * 1023, "/-" * 511, "1" * 1023, "é/" * 300, "a/b/c-1.mp4"]


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<show>[^/]+)/(?P<season>[^/]+)/(?P<episode>.*)\.mp4",
        r"(?:[^/]+/)*(?P<name>[^/]+)\.mp4$",
        r"(?i)(?P<show>[a-z]+)/S(?P<season>\d{1,2})E(?P<episode>\d{1,3})",
        r"(?P<a>.*)/(?P<b>.*)-(?P<c>.*)\.mp4",
        # What a backtracking engine never ends.
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
        r"(?i)(?:[^S]*s)(?:[^S]*)(?:[^S]*)x.*y",
        r"[\w\d]*" * 100 + "!",
    ],
)
def test_an_expression_is_quick_for_the_worst_keys(pattern: str) -> None:
    began = time.process_time()
    compiled = KeyPattern(pattern)
    for key in KEYS:
        compiled.groups(key)
        compiled.is_in(key)
    assert time.process_time() - began < 1


REFUSED = [
    ("(", "not a regular expression: missing ), unterminated subpattern at character 1"),
    ("(?P<1>a)", "not a regular expression"),
    ("x" * 2000, "at most 1,000"),
    (r"(?=(a+)+b)", "lookaround"),
    (r"^(?!.*draft)", "lookaround"),
    (r"(?P<a>.)(?P=a)", "backreferences"),
    (r"(.)\1", "backreferences"),
    ("(?x) a b", "flags but i, m and s"),
    ("a{1001}", "1,000 repetitions"),
    ("((((a{100}){100}){100}){100})", "cannot be used"),
    (r"\bfilm\b", r"uses \b which is not supported"),
    (r"[\s\W]", r"uses \W in brackets"),
]


@pytest.mark.parametrize(("pattern", "says"), REFUSED)
def test_an_expression_that_cannot_be_used_is_refused_with_the_reason(pattern: str, says: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match=re.escape(says)):
        KeyPattern(pattern)
    assert time.process_time() - began < 1


AS_IN_PYTHON = [
    (r"\w+\.mp4", "节目.mp4", "Chinese letters"),
    (r"\w+$", "ﾃﾚﾋﾞ", "half-width letters"),
    (r"[\w-]+/", "Ａｂｃ-１/x", "full-width letters and digits in a bracket"),
    (r"\w+", "été_ÜBER", "accented letters"),
    (r"\w+$", "e\u0301t", "a combining accent is not of \\w"),
    (r"\d+", "第１２集", "full-width digits"),
    (r"^\d+$", "１２３", "only full-width digits"),
    (r"S[\d]{1,2}", "S٣", "Arabic digits in a bracket"),
    (r"\D+", "集１", "what is no digit"),
    (r"[\D]+$", "１a", "the same in a bracket"),
    (r"a\sb", "a\u3000b", "an ideographic space"),
    (r"a[\s]b", "a\xa0b", "a no-break space in a bracket"),
    (r"\S+", "\u3000片名\u2003", "what is no space"),
    (r"\W+", "片名 - 1", "what is no word"),
    (r"(?i)über/", "ÜBER/x", "another case, accented"),
    (r"(?i)ａ", "Ａ", "another case, full-width"),
    (r"[一-龥]{2,}", "第一季", "a range of Chinese"),
    (r"\u8282\u76ee/.", "节目/x", "code points by number"),
    (r"[\u4e00-\u9fff]+", "节目", "a range by number"),
    (r"\U0001f3ac", "🎬.mp4", "an emoji by number"),
    (r"第.集", "第🎬集", "a dot for an emoji"),
    (r"a.b", "a\nb", "a dot for a line feed"),
    (r"x{,2}y", "xxxy", "no lower bound"),
    (r"[]a]+", "]a", "a bracket in brackets, first"),
    (r"[[a]+", "[a", "a bracket in brackets"),
    (r"[^]/]+", "ab]", "the same, excluded"),
    (r"mp4\Z", "a.mp4", "the end"),
    (r"(?P<节>[^/]+)/(?P<b>x)?", "节目/y", "a group with a Chinese name, and one that takes no part"),
    (r"(a|ab)(c|bcd)?", "abcd", "the first alternative wins"),
    (r"\x41\.\[\]\\\-\/", "A.[]\\-/", "plain escapes"),
]


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@pytest.mark.parametrize(("pattern", "key", "reason"), AS_IN_PYTHON)
def test_it_matches_as_python_does(pattern: str, key: str, reason: str) -> None:
    python, ours = re.compile(pattern, re.DOTALL), KeyPattern(pattern)
    found = python.match(key)
    assert ours.groups(key) == (None if found is None else found.groupdict(default="")), reason
    assert ours.is_in(key) is (python.search(key) is not None), reason


@pytest.mark.parametrize("escape", [r"\w", r"\W", r"\d", r"\D", r"\s", r"\S"])
def test_a_class_holds_exactly_the_characters_that_it_holds_in_python(escape: str) -> None:
    ours, python = KeyPattern(escape), re.compile(escape)
    known = (
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    )
    assert [character for character in known if ours.is_in(character) != bool(python.match(character))] == []


@given(
    some.lists(some.sampled_from(["a", "b", "/", "[^/]", ".", r"\w", "(a|b/)", "(?:ab)", "é"]), min_size=1, max_size=4),
    some.lists(some.sampled_from(["", "*", "+", "?", "*?", "{2,3}"]), min_size=4, max_size=4),
    some.text("ab/é", max_size=8),
)
def test_random_expressions_match_as_in_python(atoms: list[str], repeats: list[str], key: str) -> None:
    pattern = "(?P<all>" + "".join(map("".join, zip(atoms, repeats, strict=False))) + ")"
    found = re.match(pattern, key, re.DOTALL)
    assert KeyPattern(pattern).groups(key) == (None if found is None else found.groupdict())
    assert matcher(f"re:{pattern}")(key) is (re.search(pattern, key, re.DOTALL) is not None)
