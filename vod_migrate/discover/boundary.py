"""Where a listing may be cut, so that several parts of it can be asked for at once: guessed from the keys that it has passed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from os.path import commonprefix

from vod_migrate.discover.selection import storable

_SURROGATES, _AFTER_SURROGATES = 0xD800, 0xE000
_MOST_CODE = 0x10FFFF
_MOST_BYTES = 1023
"""Of a key, and so of one to begin behind (reference page of ListObjectsV2)."""


def key_ahead(key: str, ends: Sequence[str], pages: int) -> str | None:
    """A key about so many pages behind `key`, no matter whether it exists; None where nothing can be said.

    ends: the last keys of successive pages. The first character at which they went on at least twice, be it in a number, in a name or in a
    folder's, goes on from `key` as fast as it did there.
    """
    steps = [(len(commonprefix(pair)), *pair) for pair in pairwise(ends)]  # noqa: RUF071 - these are no paths
    if len(steps) < 2:  # noqa: PLR2004 - one step may be the last of its kind
        return None
    place = min(sorted(step[0] for step in steps)[1], len(key) - 1)
    passed = sum(
        ord(after[place]) - ord(before[place])
        for shared, before, after in steps
        if shared == place and len(before) > place
    )
    code = ord(key[place]) + max(1, pages * passed // len(steps))
    if _SURROGATES <= code < _AFTER_SURROGATES:
        code = _AFTER_SURROGATES
    if code > _MOST_CODE:
        return None
    guess = key[:place] + chr(code)
    return guess if storable(guess) and len(guess.encode()) <= _MOST_BYTES else None
