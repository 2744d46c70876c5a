"""What a plan remembers of the objects that it sees: a fixed amount, however many there are."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vod_migrate.describe.describer import Rejected
from vod_migrate.describe.metadata import metadata
from vod_migrate.media import Entry, MediaObject
from vod_migrate.plan.model import Failing, SampleDescription, StorageClass

SAMPLES = 5
"""Enough to see what they have in common."""

_FIRST = 3
_LONG_KEY_BYTES = 200
_EMOJI = 0x1F000


def _with(characters: str) -> Callable[[str], bool]:
    return lambda key: any(character in key for character in characters)


_ODD: Mapping[str, Callable[[str], bool]] = {
    "emoji": lambda key: any(ord(character) >= _EMOJI for character in key),
    "not ASCII": lambda key: not key.isascii(),
    "a space": _with(" "),
    "a plus sign": _with("+"),
    "a per cent sign": _with("%"),
    "? # or &": _with("?#&"),
    "quotes or brackets": _with("\"'`<>"),
    "a control character": lambda key: any(unicodedata.category(character) in ("Cc", "Cf") for character in key),
    "a long key": lambda key: len(key.encode()) > _LONG_KEY_BYTES,
    "folders without a name": lambda key: key.startswith("/") or "//" in key,
}
"""What goes wrong on the way into a URL or a title, in the order of how much it is worth seeing."""


class SampleDescriptions:
    """The first objects, and one for each kind of odd key: those whose descriptions are worth looking at."""

    def __init__(self, to_be_made: Callable[[int | None], str | None]) -> None:
        """to_be_made: the path of a category that does not exist yet, by the number that stands for it."""
        self._to_be_made = to_be_made
        self._first: list[SampleDescription] = []
        self._odd: dict[str, SampleDescription] = {}
        self._wanted = dict(_ODD)

    def add(self, entry: Entry) -> None:
        """Looks at an object that is to be sent."""
        if len(self._first) < _FIRST:
            self._first.append(self._sample(entry, "the first"))
        elif self._wanted:
            kinds = [kind for kind, is_odd in self._wanted.items() if is_odd(entry.key)]
            if kinds:
                sample = self._sample(entry, ", ".join(kinds))
                for kind in kinds:
                    del self._wanted[kind]
                self._odd[kinds[0]] = sample

    def samples(self) -> tuple[SampleDescription, ...]:
        """The first ones, then the odd ones."""
        return (*self._first, *(self._odd[kind] for kind in _ODD if kind in self._odd))

    def _sample(self, entry: Entry, why: str) -> SampleDescription:
        told: dict[str, Any] = metadata(entry)
        category = self._to_be_made(entry.description.cate_id)
        if category is not None:
            told["CateId"] = f"to be made: {category}"
        return SampleDescription(key=entry.key, why=why, metadata=told)


class Failures:
    """Refusals by code, each with a few samples."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._samples: dict[str, list[tuple[str, str]]] = {}

    def add(self, key: str, refusal: Rejected) -> None:
        """One object that would fail."""
        self._counts[refusal.code] = self._counts.get(refusal.code, 0) + 1
        if self._counts[refusal.code] <= SAMPLES:
            self._samples.setdefault(refusal.code, []).append((key, refusal.message))

    def groups(self) -> tuple[Failing, ...]:
        """The most frequent first."""
        codes: Sequence[str] = sorted(self._counts, key=lambda code: (-self._counts[code], code))
        return tuple(Failing(code=code, count=self._counts[code], samples=tuple(self._samples[code])) for code in codes)


class Sizes:
    """Number and bytes of what is to be sent, by storage class."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self.unknown = 0

    def add(self, found: MediaObject) -> None:
        """One object that is to be sent."""
        name = found.storage_class or "not known"
        self._counts[name] = self._counts.get(name, 0) + 1
        self._bytes[name] = self._bytes.get(name, 0) + (found.size or 0)
        self.unknown += found.size is None

    @property
    def count(self) -> int:
        """Objects in all."""
        return sum(self._counts.values())

    @property
    def bytes(self) -> int:
        """Bytes in all, as far as they are known."""
        return sum(self._bytes.values())

    def classes(self) -> tuple[StorageClass, ...]:
        """The largest class first."""
        names = sorted(self._counts, key=lambda name: (-self._counts[name], name))
        return tuple(StorageClass(name=name, count=self._counts[name], bytes=self._bytes[name]) for name in names)
