"""Regular expressions over keys that cannot take for ever.

Python's engine backtracks, and nothing stops it once it runs. So an expression is refused, when the file is read, if its
worst case over a key of 1,023 bytes may exceed some ten million steps. The estimate multiplies what can be matched in several
ways: an open-ended repetition counts 1,024 ways, an alternative or an optional part as many as it has. A repetition that its
next character ends for certain (`[^/]+/`) has one way only.
"""

from __future__ import annotations

import re
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["compile_pattern"]

KEY_CHARACTERS = 1_024
MOST_WAYS = 16 * KEY_CHARACTERS**2
PATTERN_CHARACTERS = 1_000
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_FLAGS = re.DOTALL
"""A key may hold a line feed, and a dot should match it like any other character."""

_ADVICE = (
    "could take too long for some keys: say where a repetition ends, as in [^/]+/ instead of .*/, and put no repetition "
    "inside another"
)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A regular expression that is safe to run over any key.

    Raises:
        ValueError: it is none, or could take too long.
    """
    if len(pattern) > PATTERN_CHARACTERS:
        raise ValueError(f"has {len(pattern):,} characters; a regular expression has {PATTERN_CHARACTERS:,} at most")
    try:
        compiled = re.compile(pattern, _FLAGS)
        tree = parser.parse(pattern, _FLAGS)
    except re.error as error:
        place = "" if error.pos is None else f" at character {error.pos + 1}"
        raise ValueError(f"is no regular expression: {error.msg}{place}") from None
    except (RecursionError, OverflowError):
        raise ValueError("is no regular expression: it is nested or repeated too deeply") from None
    if _ways(tree, ends=True) > MOST_WAYS:
        raise ValueError(_ADVICE)
    return compiled


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


def _ways(items: Any, *, ends: bool = False) -> int:
    """In how many ways a sequence can match, at most. ends: nothing of the whole expression follows it."""
    total = 1
    sequence = _flat(items)
    for place, (kind, value) in enumerate(sequence):
        rest = sequence[place + 1 :]
        if kind in _REPEATS:
            total *= _repeated(value, rest, last=ends and not rest)
        elif kind is sre.POSSESSIVE_REPEAT:
            total *= _inside(value[2])
        elif kind is sre.BRANCH:
            total *= sum(_ways(branch) for branch in value[1])
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            # Tried anew at each place that what stands before it tries.
            total *= KEY_CHARACTERS * _ways(value[1]) if _ways(value[1]) > 1 else 1
        elif kind is sre.GROUPREF_EXISTS:
            total *= _ways(value[1]) + (_ways(value[2]) if value[2] else 1)
        if total > MOST_WAYS:
            break
    return total


def _repeated(value: Any, rest: list[tuple[Any, Any]], *, last: bool) -> int:
    least, most, body = value
    ways = _inside(body) if most > 1 else _ways(body)
    if least == most:
        return ways
    count = int(min(most, KEY_CHARACTERS)) - int(min(least, KEY_CHARACTERS)) + 1
    single = _flat(body)
    if len(single) == 1 and rest and rest[0][0] is sre.LITERAL and not _may_match(single[0], rest[0][1]):
        return 1
    # The last repetition of all takes what it can and is never asked again.
    return ways if last and len(single) == 1 else ways * count


def _inside(body: Any) -> int:
    """What stands inside a repetition must match in one way only, or the ways multiply with every turn."""
    ways = _ways(body)
    return 1 if ways == 1 else MOST_WAYS + 1


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
