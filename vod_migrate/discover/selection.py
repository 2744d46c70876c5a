"""Selection keeps an object or leaves it out for a named reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vod_migrate.discover.machine_made import is_machine_made, looks_machine_made
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.streams import SUSPECT
from vod_migrate.media import MediaObject
from vod_migrate.migration.patterns import matcher
from vod_migrate.migration.source import ARCHIVED_CLASSES, Select
from vod_migrate.results.notes import Notes
from vod_migrate.results.scan import SAMPLES

ARCHIVE_REASONS = ("archived", "being_restored", "restored_copy")
"""Why an object of an archive class is left out."""

RESTORED = "restored"
"""The hint about an object that is taken because it has a restored copy."""

_OF_COPIES = frozenset((*ARCHIVE_REASONS, RESTORED))
"""What ends by itself with a restored copy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """A page after selection: what is kept, in order, and how many were left out for which reason, with a few keys.

    samples: keys by reason, and by hint. archived: what would be kept if it had a restored copy.
    """

    kept: tuple[MediaObject, ...]
    left_out: dict[str, int]
    samples: dict[str, list[str]]
    archived: tuple[MediaObject, ...]
    notes: Notes


class Selection:
    """The rules of one run. prefixes: what keys must begin with, where the source does not see to it itself.

    The window's edges in the rules must be times with an offset; `prepare` has resolved them. now: what a restored copy must outlive.
    """

    def __init__(
        self,
        rules: Select,
        *,
        now: dt.datetime,
        modified_since: dt.datetime | None = None,
        prefixes: tuple[str, ...] = ("",),
    ) -> None:
        self._include = [matcher(pattern) for pattern in rules.include]
        self._exclude = [matcher(pattern) for pattern in rules.exclude]
        self._prefixes = prefixes
        self._hidden = rules.hidden == "skip"
        self._extensions = frozenset(rules.extensions)
        archived = ARCHIVED_CLASSES if rules.archived == "register" else ()
        self._classes = frozenset((*rules.storage_classes, *archived))
        self._restored = rules.archived == "restored"
        self._lasts = dt.timedelta(days=rules.restored_min_days)
        self._outlives = now + self._lasts
        self._min_size = rules.min_size
        self._max_size = rules.max_size
        self._sized = rules.min_size > 1 or rules.max_size is not None
        self._modified_since = modified_since
        self._after = _resolved(rules.modified_after)
        self._before = _resolved(rules.modified_before)
        self._timed = any(edge is not None for edge in (modified_since, self._after, self._before))

    def select(self, page: ListedPage) -> Selected:
        """Divides a page."""
        kept, archived = [], []
        left_out: Counter[str] = Counter()
        hints: Counter[str] = Counter()
        samples: dict[str, list[str]] = {}
        expires: dict[str, dt.datetime] = {}

        def count(counts: Counter[str], found: MediaObject, name: str) -> None:
            counts[name] += 1
            if counts[name] <= SAMPLES:
                samples.setdefault(name, []).append(sample_of(found.key))
            if name in _OF_COPIES and found.restored is not None and (end := found.restored.expires) is not None:
                expires[name] = min(end, expires.get(name, end))

        for found in page.objects:
            reason = self.reason(found, part=page.parts.get(found.key))
            if reason is not None:
                count(left_out, found, reason)
                if reason == "archived":
                    archived.append(found)
                continue
            kept.append(found)
            if found.restored is not None and found.restored.ready:
                count(hints, found, RESTORED)
            if self._hidden and looks_machine_made(found.key):
                count(hints, found, "looks_hidden")
            if found.key in page.suspects:
                count(hints, found, SUSPECT)
        return Selected(
            kept=tuple(kept),
            left_out=dict(left_out),
            samples=samples,
            archived=tuple(archived),
            notes=Notes(hints=dict(hints), expires=expires),
        )

    def due(self, objects: Sequence[MediaObject]) -> dt.datetime | None:
        """When the first of some objects is judged otherwise than now without having changed: its restored copy will not last."""
        if not self._restored:
            return None
        ends = (found.restored.expires for found in objects if found.restored is not None)
        lasting = [end - self._lasts for end in ends if end is not None and end >= self._outlives]
        return min(lasting, default=None)

    def reason(self, found: MediaObject, *, part: str | None = None) -> str | None:
        """Why an object is left out; None keeps it. The first reason that applies counts. part: of a stream, and so why."""
        return (
            self._of_key(found.key, part)
            or self._of_size(found.size)
            or self._of_time(found.last_modified)
            or self._of_class(found)
        )

    def _of_key(self, key: str, part: str | None) -> str | None:  # noqa: PLR0911 - one line a reason
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
        if self._hidden and is_machine_made(key):
            return "hidden"
        if part is not None:
            return part
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

    def _of_time(self, modified: dt.datetime | None) -> str | None:
        if modified is None:
            return "time_unknown" if self._timed else None
        if self._modified_since is not None and modified < self._modified_since:
            return "not_modified_since"
        if self._after is not None and modified < self._after:
            return "too_old"
        return "too_new" if self._before is not None and modified >= self._before else None

    def _of_class(self, found: MediaObject) -> str | None:
        # The last rule, so that what is only archived would be taken once it is restored.
        if found.storage_class is None or found.storage_class in self._classes:
            return None
        if not is_archived(found):
            return "storage_class"
        copy = found.restored
        if copy is None:
            return "archived"
        if not copy.ready:
            return "being_restored"
        lasts = copy.expires is not None and copy.expires >= self._outlives
        return None if self._restored and lasts else "restored_copy"


def is_archived(found: MediaObject) -> bool:
    """Whether an object must be restored before it can be read."""
    return "Archive" in (found.storage_class or "")


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
