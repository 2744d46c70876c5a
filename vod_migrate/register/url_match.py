"""Which entry a URL of a reply means: one reading for the whole reply, and nobody's where two readings differ.

The documented examples ask with https and are answered with http, so a URL is never compared as a string. What its path means
is not documented either: the key percent-encoded (once or twice), the key as it stands, or a form's encoding with + for a
space. Each of the four is tried on all URLs of the reply at once. A reading that gives every URL an entry of its own is believed; where two
such readings differ, or none is complete and a URL fits two entries (`a b` and `a%20b` in one call), the URL is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote, unquote_plus

from vod_migrate.media import Batch, Entry

_URL = re.compile(r"[a-z]+://([^/]+)/(.*)", re.DOTALL | re.IGNORECASE)


class UrlMatcher:
    """The URLs of one reply against the entries of its batch."""

    def __init__(self, batch: Batch, urls: Iterable[str]) -> None:
        """urls: every URL that the reply names, in both lists."""
        self._address = batch.storage_address.lower()
        by_key = {entry.key: entry for entry in batch.entries}
        paths = {path for url in urls if (path := self._path(url)) is not None}
        self._meant = _meant(paths, by_key)

    def find(self, url: str) -> tuple[Entry, ...]:
        """The entry that a URL means; none where nobody asked for that file, several where it is ambiguous."""
        path = self._path(url)
        return () if path is None else self._meant[path]

    def _path(self, url: str) -> str | None:
        match = _URL.fullmatch(url)
        return match[2] if match is not None and match[1].lower() == self._address else None


def _meant(paths: set[str], by_key: dict[str, Entry]) -> dict[str, tuple[Entry, ...]]:
    readings = [
        {path: None if (key := read(path)) is None else by_key.get(key) for path in paths} for read in _READINGS
    ]
    complete = [reading for reading in readings if _complete(reading)]
    return {path: _distinct(reading[path] for reading in complete or readings) for path in paths}


def _complete(reading: dict[str, Entry | None]) -> bool:
    return None not in reading.values() and len(_distinct(reading.values())) == len(reading)


def _distinct(entries: Iterable[Entry | None]) -> tuple[Entry, ...]:
    return tuple({entry.key: entry for entry in entries if entry is not None}.values())


def _strictly(decode: Callable[..., str]) -> Callable[[str], str | None]:
    def read(path: str) -> str | None:
        try:
            return decode(path, errors="strict")
        except UnicodeDecodeError:
            return None

    return read


def _twice(path: str) -> str | None:
    once = _READINGS[0](path)
    return None if once is None else _READINGS[0](once)


_READINGS: tuple[Callable[[str], str | None], ...] = (
    _strictly(unquote),
    lambda path: path,
    _strictly(unquote_plus),
    _twice,
)
