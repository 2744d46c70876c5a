"""Selection keeps an object or leaves it out for a named reason."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from vod_migrate.media import MediaObject
from vod_migrate.spec import Select

__all__ = ["REASONS", "Selected", "Selection", "storable"]

REASONS: dict[str, str] = {
    "folder_marker": "the key ends with '/': a folder, not a file",
    "no_extension": "the file name has no extension; VOD needs one",
    "extension": "the extension is not among `select.extensions`",
    "empty": "the object has no bytes",
    "too_small": "smaller than `select.min_size`",
    "too_large": "larger than `select.max_size`",
    "archived": "archived: VOD cannot read it until it is restored",
    "storage_class": "the storage class is not among `select.storage_classes`",
    "not_modified_since": "last modified before the run's `modified_since`",
    "unstorable_key": "the key is not text (a NUL, or not UTF-8)",
    "limit": "found after the run's `limit` was reached",
}
"""Every reason for which an object may be left out, and what it means."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """A page after selection: what is kept, in order, and how many were left out for which reason."""

    kept: tuple[MediaObject, ...]
    left_out: dict[str, int]


class Selection:
    """The rules of one run."""

    def __init__(self, rules: Select, *, modified_since: dt.datetime | None = None) -> None:
        self._extensions = frozenset(rules.extensions)
        self._classes = frozenset(rules.storage_classes)
        self._min_size = rules.min_size
        self._max_size = rules.max_size
        self._modified_since = modified_since

    def select(self, objects: Iterable[MediaObject]) -> Selected:
        """Divides a page."""
        kept = []
        left_out: Counter[str] = Counter()
        for found in objects:
            reason = self.reason(found)
            if reason is None:
                kept.append(found)
            else:
                left_out[reason] += 1
        return Selected(kept=tuple(kept), left_out=dict(left_out))

    def reason(self, found: MediaObject) -> str | None:  # noqa: PLR0911 - one line a reason
        """Why an object is left out; None keeps it. The first reason that applies counts."""
        if not storable(found.key):
            return "unstorable_key"
        if found.key.endswith("/"):
            return "folder_marker"
        extension = extension_of(found.key)
        if not extension:
            return "no_extension"
        if extension not in self._extensions:
            return "extension"
        if found.size < self._min_size:
            return "empty" if found.size == 0 else "too_small"
        if self._max_size is not None and found.size > self._max_size:
            return "too_large"
        if found.storage_class not in self._classes:
            return "archived" if "Archive" in found.storage_class else "storage_class"
        if self._modified_since is not None and found.last_modified < self._modified_since:
            return "not_modified_since"
        return None


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
