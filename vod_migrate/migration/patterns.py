"""Patterns over keys that cannot take for ever: regular expressions, and globs.

A glob's `*` stands for any characters, `/` too, as in `ossutil` and `aws s3`. `re:` begins a regular expression of Python that
is searched for anywhere in the key.

Python's engine backtracks, and nothing stops it once it runs. So an expression is refused, when the file is read, if its
worst case over a key of 1,023 bytes may exceed some ten million steps, about a second. The estimate multiplies what can be
matched in several ways: an open-ended repetition counts 1,024 ways, an alternative or an optional part as many as it has, and
so do the places where a search may begin. A repetition that its next character ends for certain (`[^/]+/`) has one way only,
and still has to be walked through as often as what stands before it has ways.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Matcher = Callable[[str], bool]
"""Says whether a key fits."""

REGEX_MARK = "re:"

KEY_CHARACTERS = 1_024
MOST_STEPS = 16 * KEY_CHARACTERS**2
RUN_STEPS = 32
"""For walking through a whole key with one greedy class: a loop in C, measured 30 times as fast as stepping."""
PATTERN_CHARACTERS = 1_000
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_CLASSES = (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY, sre.ANY_ALL)
_FLAGS = re.DOTALL
"""A key may hold a line feed, and a dot should match it like any other character."""

_ADVICE = (
    "could take too long for some keys: say where a repetition ends, as in [^/]+/ instead of .*/, and put no repetition "
    "inside another"
)


def compile_pattern(pattern: str, *, searched: bool = False) -> re.Pattern[str]:
    """A regular expression that is safe to run over any key.

    searched: whether it may begin anywhere in the key, and not only at its beginning.

    Raises:
        ValueError: it is none, or could take too long.
    """
    _check_length(pattern)
    try:
        compiled = re.compile(pattern, _FLAGS)
        tree = parser.parse(pattern, _FLAGS)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise ValueError(f"is no regular expression: {error.msg}{place}") from None
    except (RecursionError, OverflowError):
        raise ValueError("is no regular expression: it is nested or repeated too deeply") from None
    ways, steps = _cost(tree, ends=True)
    if (_places(tree) if searched else 1) * (ways + steps) > MOST_STEPS:
        raise ValueError(_ADVICE)
    return compiled


def matcher(pattern: str) -> Matcher:
    """What a glob, or an expression behind `re:`, matches.

    Raises:
        ValueError: it is none, matches no key, or could take too long; the message says what to write instead.
    """
    _check_length(pattern)
    if pattern.startswith(REGEX_MARK):
        text = pattern.removeprefix(REGEX_MARK)
        if not text:
            raise ValueError("has nothing after `re:`: write an expression, e.g. 're:/raw/.*_v[0-9]+'")
        try:
            found = compile_pattern(text, searched=True)
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None
        return lambda key: found.search(key) is not None
    if not pattern:
        raise ValueError("is empty: write a glob over the whole key, e.g. 'interviews/*', or `re:` and an expression")
    if pattern.startswith("/"):
        raise ValueError(f"{pattern!r} matches nothing, since no key begins with '/': write {pattern.lstrip('/')!r}")
    # fnmatch translates runs of wildcards into atomic groups, which need one try each.
    glob = re.compile(fnmatch.translate(pattern))
    return lambda key: glob.match(key) is not None


def _check_length(pattern: str) -> None:
    if len(pattern) > PATTERN_CHARACTERS:
        raise ValueError(f"has {len(pattern):,} characters; a pattern has {PATTERN_CHARACTERS:,} at most")


def _places(tree: Any) -> int:
    """At how many places of a key a search may have to try: one where it is anchored, few where it begins with a rare text."""
    items = _flat(tree)
    if items and items[0][0] is sre.AT and items[0][1] in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
        return 1
    literals = [value if kind is sre.LITERAL else None for kind, value in items]
    text = literals[: literals.index(None)] if None in literals else literals
    # A text can begin again where its end is its beginning: "aa" everywhere, "/raw/" at each fourth character.
    period = next((shift for shift in range(1, len(text)) if text[shift:] == text[:-shift]), len(text))
    return KEY_CHARACTERS // max(1, period)


def _flat(items: Any) -> list[tuple[Any, Any]]:
    """A sequence with its groups opened, so that what follows a group is seen to follow its last part."""
    found: list[tuple[Any, Any]] = []
    for kind, value in items:
        if kind is sre.SUBPATTERN:
            found.extend(_flat(value[3]))
        elif kind is sre.ATOMIC_GROUP:
            found.extend(_flat(value))
        else:
            found.append((kind, value))
    return found


def _cost(items: Any, *, ends: bool = False) -> tuple[int, int]:
    """(in how many ways a sequence can match, how many steps that takes), at most. ends: nothing of the expression follows it."""
    ways, steps = 1, 0
    sequence = _flat(items)
    for place, (kind, value) in enumerate(sequence):
        rest = sequence[place + 1 :]
        times, walked = 1, 0
        if kind in _REPEATS:
            times, walked = _repeated(value, rest, greedy=kind is sre.MAX_REPEAT, last=ends and not rest)
        elif kind is sre.POSSESSIVE_REPEAT:
            times, walked = _repeated(value, [], greedy=False, last=False)
            times = 1 if times <= KEY_CHARACTERS + 1 else times
        elif kind is sre.BRANCH:
            parts = [_cost(branch) for branch in value[1]]
            times = (max if _begin_apart(value[1]) else sum)(part[0] for part in parts)
            walked = sum(part[1] for part in parts)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            # Tried anew each time that what stands before it comes here, and never again by what follows.
            walked = sum(_cost(value[1]))
        elif kind is sre.GROUPREF_EXISTS:
            parts = [_cost(part) for part in value[1:] if part]
            times, walked = sum(part[0] for part in parts) + 1, sum(part[1] for part in parts)
        elif kind is sre.GROUPREF:
            walked = KEY_CHARACTERS
        steps += ways * walked
        ways *= times
        if ways + steps > MOST_STEPS:
            break
    return ways, steps


def _begin_apart(branches: Any) -> bool:
    """Whether the first character tells which of some alternatives it is."""
    firsts: list[Any] = [next(iter(_flat(branch)), (None, None)) for branch in branches]
    told: list[int] = [value for kind, value in firsts if kind is sre.LITERAL]
    return len(told) == len(firsts) == len({chr(code).lower() for code in told})


def _repeated(value: Any, rest: list[tuple[Any, Any]], *, greedy: bool, last: bool) -> tuple[int, int]:
    least, most, body = value
    times, within = _cost(body)
    if most > 1 and times > 1:
        times = MOST_STEPS + 1
    longest = int(min(most, KEY_CHARACTERS))
    single = _flat(body)
    alone = len(single) == 1 and single[0][0] in _CLASSES
    # Turns follow each other through the key, so that all of them together walk it once.
    if alone:
        walked = longest * RUN_STEPS // KEY_CHARACTERS if greedy else longest
    else:
        walked = longest * (within + 1) if _looks(body) else longest + within
    if least == most:
        return times, walked
    count = longest - int(min(least, KEY_CHARACTERS)) + 1
    if alone and rest and rest[0][0] is sre.LITERAL and not _may_match(single[0], rest[0][1]):
        return 1, walked
    # The last repetition of all takes what it can and is never asked again.
    return (times if last and alone else times * count), walked


def _looks(body: Any) -> bool:
    """Whether something in a sequence looks ahead or back, and so walks where the repetition itself has not come."""
    for kind, value in body:
        if kind in (sre.ASSERT, sre.ASSERT_NOT, sre.GROUPREF):
            return True
        if any(_looks(part) for part in _parts(kind, value)):
            return True
    return False


def _parts(kind: Any, value: Any) -> list[Any]:
    if kind in (*_REPEATS, sre.POSSESSIVE_REPEAT):
        return [value[2]]
    if kind is sre.SUBPATTERN:
        return [value[3]]
    if kind is sre.BRANCH:
        return list(value[1])
    if kind is sre.GROUPREF_EXISTS:
        return [part for part in value[1:] if part]
    return [value] if kind is sre.ATOMIC_GROUP else []


def _may_match(item: tuple[Any, Any], code: int) -> bool:
    kind, value = item
    cases = {ord(character) for character in (chr(code).lower()[0], chr(code).upper()[0], chr(code))}
    if kind is sre.LITERAL:
        return value in cases
    if kind is sre.NOT_LITERAL:
        return bool(cases - {value})
    if kind is sre.IN:
        return any(_in_class(value, case) for case in cases)
    return True


def _in_class(members: Any, code: int) -> bool:
    negated, hit = False, False
    for kind, value in members:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            hit |= value == code
        elif kind is sre.RANGE:
            hit |= value[0] <= code <= value[1]
        elif kind is sre.CATEGORY:
            hit |= _in_category(value, chr(code))
    return hit != negated


def _in_category(category: Any, character: str) -> bool:
    name = str(category).rpartition("_")[2].lower()
    positive = {"digit": r"\d", "space": r"\s", "word": r"\w"}.get(name)
    if positive is None:
        return True
    return bool(re.match(positive, character)) != ("NOT" in str(category))
