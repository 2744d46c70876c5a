"""Selection keeps an object or leaves it out for a named reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import dataclass

from vod_migrate.discover.hls import folder_of, is_segment
from vod_migrate.media import MediaObject
from vod_migrate.migration.patterns import matcher
from vod_migrate.migration.source import ARCHIVED_CLASSES, Select
from vod_migrate.results.scan import SAMPLES


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """A page after selection: what is kept, in order, and how many were left out for which reason, with a few keys."""

    kept: tuple[MediaObject, ...]
    left_out: dict[str, int]
    samples: dict[str, list[str]]


class Selection:
    """The rules of one run. prefixes: what keys must begin with, where the source does not see to it itself.

    The window's edges in the rules must be times with an offset; `prepare` has resolved them.
    """

    def __init__(
        self, rules: Select, *, modified_since: dt.datetime | None = None, prefixes: tuple[str, ...] = ("",)
    ) -> None:
        self._include = [matcher(pattern) for pattern in rules.include]
        self._exclude = [matcher(pattern) for pattern in rules.exclude]
        self._prefixes = prefixes
        self._hls = rules.hls == "playlists"
        self._extensions = frozenset(rules.extensions)
        archived = ARCHIVED_CLASSES if rules.archived == "register" else ()
        self._classes = frozenset((*rules.storage_classes, *archived))
        self._min_size = rules.min_size
        self._max_size = rules.max_size
        self._sized = rules.min_size > 1 or rules.max_size is not None
        self._modified_since = modified_since
        self._after = _resolved(rules.modified_after)
        self._before = _resolved(rules.modified_before)
        self._timed = any(edge is not None for edge in (modified_since, self._after, self._before))

    def select(self, objects: Iterable[MediaObject], *, playlists: Container[str] = frozenset()) -> Selected:
        """Divides a page. playlists: the folders that hold an HLS playlist."""
        kept = []
        left_out: Counter[str] = Counter()
        samples: dict[str, list[str]] = {}
        for found in objects:
            reason = self.reason(found, playlists=playlists)
            if reason is None:
                kept.append(found)
                continue
            left_out[reason] += 1
            if left_out[reason] <= SAMPLES:
                samples.setdefault(reason, []).append(sample_of(found.key))
        return Selected(kept=tuple(kept), left_out=dict(left_out), samples=samples)

    def reason(self, found: MediaObject, *, playlists: Container[str] = frozenset()) -> str | None:
        """Why an object is left out; None keeps it. The first reason that applies counts."""
        return self._of_key(found.key, playlists) or self._of_size(found.size) or self._of_rest(found)

    def _of_key(self, key: str, playlists: Container[str]) -> str | None:  # noqa: PLR0911 - one line a reason
        if not storable(key):
            return "unstorable_key"
        if key.endswith("/"):
            return "folder_marker"
        if not key.startswith(self._prefixes):
            return "outside_prefixes"
        if self._include and not any(fits(key) for fits in self._include):
            return "not_included"
        if any(fits(key) for fits in self._exclude):
            return "excluded"
        if self._hls and is_segment(key) and folder_of(key) in playlists:
            return "hls_segment"
        extension = extension_of(key)
        if not extension:
            return "no_extension"
        return None if extension in self._extensions else "extension"

    def _of_size(self, size: int | None) -> str | None:
        if size is None:
            return "size_unknown" if self._sized else None
        if size < self._min_size:
            return "empty" if size == 0 else "too_small"
        return "too_large" if self._max_size is not None and size > self._max_size else None

    def _of_rest(self, found: MediaObject) -> str | None:
        if found.storage_class is not None and found.storage_class not in self._classes:
            return "archived" if "Archive" in found.storage_class else "storage_class"
        modified = found.last_modified
        if modified is None:
            return "time_unknown" if self._timed else None
        if self._modified_since is not None and modified < self._modified_since:
            return "not_modified_since"
        if self._after is not None and modified < self._after:
            return "too_old"
        return "too_new" if self._before is not None and modified >= self._before else None


def _resolved(edge: dt.datetime | str | None) -> dt.datetime | None:
    if edge is None or (isinstance(edge, dt.datetime) and edge.tzinfo is not None):
        return edge
    raise ValueError(f"the edge {edge!r} of the window was not resolved when the run was prepared")


def sample_of(key: str) -> str:
    """A key as a sample shows it: quoted where a space at an end or an invisible character would be overlooked."""
    # JSON in Postgres takes neither a NUL nor half a character.
    text = key.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if text.isprintable() and text == text.strip():
        return text
    return '"' + "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text) + '"'


def extension_of(key: str) -> str:
    """The extension in lower case without its dot; '' where the file name has none ('.mp4' alone is a name)."""
    name = key.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return extension.lower() if stem else ""


def storable(key: str) -> bool:
    """Whether Postgres can hold a key: it is text without a NUL."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in key
