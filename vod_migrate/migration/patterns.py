r"""Patterns over keys: globs and regular expressions, none of which can run for ever.

A glob's `*` stands for any characters, `/` too, as in `ossutil` and `aws s3`. `re:` begins a regular expression that is
searched for anywhere in the key.

Python's own engine backtracks: `(a+)+$` takes longer than anybody waits on a key of 40 characters, and nothing can stop it.
RE2 takes time linear in the key. It has no lookaround and no backreferences, and its `\w`, `\d` and `\s` are ASCII; here
they are translated, so that they match Chinese, full-width and accented characters as in Python.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

import re2

from vod_migrate.migration.prefixes import check_expression, check_pattern

Matcher = Callable[[str], bool]
"""Whether a key fits."""

REGEX_MARK = "re:"
PATTERN_CHARACTERS = 1_000

_CLASSES = {
    "w": r"\p{L}\p{N}_",
    "d": r"\p{Nd}",
    "s": r"\x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}",
}
"""What Python's classes hold, as the inside of a bracket of RE2."""

_PIECE = re.compile(
    r"""\\(?: u[0-9a-fA-F]{4} | U[0-9a-fA-F]{8} | . )   # an escape
      | \[ \^? \]? (?: \\. | [^\]\\] )* \]              # a bracket
      | \{, (?= \d* \} )                                # {,5}, which RE2 takes literally
    """,
    re.DOTALL | re.VERBOSE,
)
_INSIDE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\[", re.DOTALL)


class KeyPattern:
    """A regular expression over keys. A dot also matches a line feed, which a key may hold."""

    def __init__(self, text: str) -> None:
        """Compiles an expression.

        Raises:
            ValueError: it is not one, or needs what RE2 does not have.
        """
        _check_length(text)
        try:
            re.compile(text)
        except re.error as error:
            place = "" if error.pos is None else f" at character {error.pos + 1}"
            raise ValueError(f"is not a regular expression: {error.msg}{place}") from None
        except (RecursionError, OverflowError):
            raise ValueError("is not a regular expression: it is nested or repeated too deeply") from None
        options = re2.Options()
        options.log_errors = False
        options.dot_nl = True
        try:
            self._compiled = re2.compile(_PIECE.sub(lambda found: _translated(found[0]), text), options)
        except re2.error as error:
            reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            raise ValueError(
                f"cannot be used ({reason}): lookaround, backreferences, flags but i, m and s, and more than 1,000 repetitions "
                "are not supported, because they could take too long for some keys"
            ) from None
        self.names = tuple(self._compiled.groupindex)

    def groups(self, key: str) -> dict[str, str] | None:
        """The named groups of a match at the beginning of the key ('' for one that took no part); None: no match."""
        # As bytes, which spares the bindings to count characters: measured three times as fast.
        found = self._compiled.match(key.encode())
        return None if found is None else {name: (found[name] or b"").decode() for name in self.names}

    def is_in(self, key: str) -> bool:
        """Whether the expression matches anywhere in the key."""
        return self._compiled.search(key.encode()) is not None


def matcher(pattern: str) -> Matcher:
    """What a glob, or an expression behind `re:`, matches.

    Raises:
        ValueError: it cannot be used, or matches no key; the message says what to write instead.
    """
    _check_length(pattern)
    if pattern.startswith(REGEX_MARK):
        text = pattern.removeprefix(REGEX_MARK)
        if not text:
            raise ValueError("has nothing after `re:`: write an expression, e.g. 're:/raw/.*_v[0-9]+'")
        check_expression(text)
        try:
            return KeyPattern(text).is_in
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None
    if not pattern:
        raise ValueError("is empty: write a glob over the whole key, e.g. 'interviews/*', or `re:` and an expression")
    check_pattern(pattern)
    # fnmatch translates runs of wildcards into atomic groups, which need one try each.
    glob = re.compile(fnmatch.translate(pattern))
    return lambda key: glob.match(key) is not None


def _check_length(pattern: str) -> None:
    if len(pattern) > PATTERN_CHARACTERS:
        raise ValueError(f"has {len(pattern):,} characters; a pattern may have at most {PATTERN_CHARACTERS:,}")


def _translated(piece: str) -> str:
    if piece == "{,":
        return "{0,"
    if not piece.startswith("["):
        return _escape(piece)
    begin = 1 + piece.startswith("[^")
    # A bracket that follows at once, or stands inside, is a character.
    return piece[:begin] + _INSIDE.sub(lambda found: _escape(found[0], inside=True), piece[begin:-1]) + "]"


def _escape(piece: str, *, inside: bool = False) -> str:
    if piece == "[":
        return r"\["
    letter = piece[1]
    if letter in "uU":
        return rf"\x{{{piece[2:]}}}"
    if letter in "bB" or (letter in "WS" and inside):
        raise ValueError(
            f"uses {piece} {'in brackets, ' if inside else ''}which is not supported: write out which characters may stand there"
        )
    held = _CLASSES.get(letter.lower())
    if held is None:
        return r"\z" if letter == "Z" else piece
    if inside:
        return held if letter.islower() else r"\P{Nd}"
    return f"[{held}]" if letter.islower() else f"[^{held}]"
