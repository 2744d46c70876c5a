"""Patterns over whole keys: globs, and regular expressions that cannot take forever.

A glob's `*` stands for any characters, `/` too, as in `ossutil` and `aws s3`. `re:` begins a regular expression of Python that is searched
for anywhere in the key. Python's engine tries every way to match, so an expression that has more ways than a key has characters is refused
when the file is read: a scan of 100 million keys must not hang on one of them.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterator
from re import _constants as sre  # type: ignore[attr-defined] # no public parser
from re import _parser  # type: ignore[attr-defined] # no public parser
from typing import Any

__all__ = ["REGEX_MARK", "Matcher", "matcher"]

Matcher = Callable[[str], bool]
"""Says whether a key fits."""

REGEX_MARK = "re:"
_MOST_CHARACTERS = 1_000
_MOST_WIDE = 3
"""Repeats of 'anything' in one expression: a fourth would take minutes on a key of 1,023 bytes."""

_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
_MANY = 10
_CATEGORIES: dict[Any, str] = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def matcher(pattern: str) -> Matcher:
    """What a pattern of a migration file matches.

    Raises:
        ValueError: it is none, matches no key, or may take forever; the message says what to write instead.
    """
    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(f"has {len(pattern):,} characters: a pattern may have {_MOST_CHARACTERS:,}")
    if pattern.startswith(REGEX_MARK):
        found = _expression(pattern.removeprefix(REGEX_MARK))
        return lambda key: found.search(key) is not None
    if not pattern:
        raise ValueError("is empty: write a glob over the whole key, e.g. 'interviews/*', or `re:` and an expression")
    if pattern.startswith("/"):
        raise ValueError(f"{pattern!r} matches nothing, since no key begins with '/': write {pattern.lstrip('/')!r}")
    # fnmatch translates runs of wildcards into atomic groups, which need one try each.
    glob = re.compile(fnmatch.translate(pattern))
    return lambda key: glob.match(key) is not None


def _expression(text: str) -> re.Pattern[str]:
    if not text:
        raise ValueError("has nothing after `re:`: write an expression, e.g. 're:/raw/.*_v[0-9]+'")
    try:
        compiled = re.compile(text)
        parsed = _parser.parse(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    _check(parsed, text)
    wide = sum(1 for op, argument in _items(parsed) if _endless(op, argument) and _takes(argument[2], "/"))
    if wide > _MOST_WIDE:
        raise ValueError(
            f"{text!r} has {wide} repeats that match anything; {_MOST_WIDE} at most: write [^/]* for part of a name"
        )
    return compiled


def _check(parsed: Any, text: str) -> None:
    for op, argument in _items(parsed):
        if op in (sre.GROUPREF, sre.GROUPREF_EXISTS):
            raise ValueError(f"{text!r} refers back to a group, which can take forever: write the alternatives out")
        if op not in _REPEATS or argument[1] < _MANY:
            continue
        body = argument[2]
        if _delimited(body):
            continue
        if any(inner in _REPEATS and args[0] != args[1] for inner, args in _items(body)):
            raise ValueError(
                f"{text!r} repeats what is itself repeated, which can take forever on a long key: "
                "end the inner part with a character that it cannot match, e.g. (?:[^/]+/)*"
            )
        for inner, args in _items(body):
            if inner == sre.BRANCH and not _distinct(args[1]):
                raise ValueError(
                    f"{text!r} repeats alternatives that may begin alike, which can take forever on a long key: "
                    "let each begin with a character of its own"
                )


def _items(parsed: Any) -> Iterator[tuple[Any, Any]]:
    """Every operation of a parsed expression, however deep."""
    for op, argument in parsed:
        yield op, argument
        for part in _parts(op, argument):
            yield from _items(part)


def _parts(op: Any, argument: Any) -> list[Any]:
    if op in _REPEATS or op == sre.POSSESSIVE_REPEAT:
        return [argument[2]]
    if op == sre.SUBPATTERN:
        return [argument[3]]
    if op == sre.BRANCH:
        return list(argument[1])
    if op in (sre.ASSERT, sre.ASSERT_NOT):
        return [argument[1]]
    return [argument] if op == sre.ATOMIC_GROUP else []


def _endless(op: Any, argument: Any) -> bool:
    return op in _REPEATS and argument[1] >= _MANY


def _delimited(body: Any) -> bool:
    """Whether each turn of a repeat ends (or begins) with a character that stands nowhere else in it."""
    items = _flat(body)
    for place in (-1, 0):
        if not items or items[place][0] != sre.LITERAL:
            continue
        rest = items[:-1] if place else items[1:]
        if not _takes(rest, chr(items[place][1])):
            return True
    return False


def _flat(body: Any) -> list[tuple[Any, Any]]:
    items = list(body)
    if len(items) == 1 and items[0][0] == sre.SUBPATTERN:
        return _flat(items[0][1][3])
    return items


def _distinct(alternatives: list[Any]) -> bool:
    firsts = [next(iter(one), (None, None)) for one in alternatives]
    return all(op == sre.LITERAL for op, _ in firsts) and len({literal for _, literal in firsts}) == len(firsts)


def _takes(parsed: Any, character: str) -> bool:
    """Whether anything in a parsed expression matches the character."""
    return any(_takes_one(op, argument, character) for op, argument in _items(parsed))


def _takes_one(op: Any, argument: Any, character: str) -> bool:
    if op == sre.ANY:
        return True
    if op == sre.LITERAL:
        return chr(argument) == character
    if op == sre.NOT_LITERAL:
        return chr(argument) != character
    if op != sre.IN:
        return False
    negated = any(kind == sre.NEGATE for kind, _ in argument)
    return negated != any(_in_set(kind, value, character) for kind, value in argument)


def _in_set(kind: Any, value: Any, character: str) -> bool:
    if kind == sre.LITERAL:
        return chr(value) == character
    if kind == sre.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    return kind == sre.CATEGORY and re.match(_CATEGORIES[value], character) is not None
