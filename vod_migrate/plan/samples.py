"""What a plan remembers of the objects that it sees: in a fixed amount of memory, however many there are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, Self

from vod_migrate.describe.metadata import metadata
from vod_migrate.media import Entry, MediaObject, Rejected
from vod_migrate.plan.model import Duplicates, Repeated, SampleDescription, StorageClass
from vod_migrate.register.canary_keys import TRAITS, key_traits
from vod_migrate.report.model import FailureGroup, Sample
from vod_migrate.results.scan import SAMPLES

_FIRST = 3
_TEXTS = {
    "titles": "title",
    "references": "reference",
    # The file name of a key: without everything up to its last slash.
    "names": "replace(key, rtrim(key, replace(key, '/', '')), '')",
}


class SampleDescriptions:
    """The first objects, and one for each kind of odd key: those whose descriptions are worth looking at."""

    def __init__(self, to_be_made: Callable[[int | None], str | None]) -> None:
        """to_be_made: the path of a category that does not exist yet, by the number that stands for it."""
        self._to_be_made = to_be_made
        self._first: list[SampleDescription] = []
        self._odd: list[SampleDescription] = []
        self._seen: frozenset[str] = frozenset()

    def add(self, entry: Entry) -> None:
        """Looks at an object that is to be sent."""
        if len(self._first) < _FIRST:
            self._first.append(self._sample(entry, "the first"))
            return
        new = key_traits(entry.key) - self._seen
        if new:
            self._seen |= new
            self._odd.append(self._sample(entry, ", ".join(trait for trait in TRAITS if trait in new)))

    def samples(self) -> tuple[SampleDescription, ...]:
        """The first ones, then the odd ones."""
        return (*self._first, *self._odd)

    def _sample(self, entry: Entry, why: str) -> SampleDescription:
        told: dict[str, Any] = metadata(entry)
        category = self._to_be_made(entry.description.cate_id)
        if category is not None:
            told["CateId"] = f"to be made: {category}"
        return SampleDescription(key=entry.key, why=why, metadata=told)


class Failures:
    """Rejected objects by code, each with a few samples."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._samples: dict[str, list[Sample]] = {}

    def add(self, key: str, rejected: Rejected) -> None:
        """One object that would fail."""
        self._counts[rejected.code] += 1
        if self._counts[rejected.code] <= SAMPLES:
            self._samples.setdefault(rejected.code, []).append(Sample(key=key, message=rejected.message))

    def groups(self) -> tuple[FailureGroup, ...]:
        """The most frequent first."""
        return tuple(
            FailureGroup(code=code, count=count, samples=tuple(self._samples[code]))
            for code, count in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))
        )


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


class RepeatedTexts:
    """Takes the key, the title and the ReferenceId of every object; a private SQLite file sorts them. Close it after use."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # '' is a temporary file that goes away by itself
        self._database.execute("pragma journal_mode = off")
        self._database.execute("create table described (key text, title text, reference text)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, described: Iterable[tuple[str, str, str | None]]) -> None:
        """Some objects: (key, title, ReferenceId)."""
        with closing(self._database.cursor()) as cursor:
            cursor.execute("begin")
            cursor.executemany("insert into described values (?, ?, ?)", described)
            cursor.execute("commit")

    def found(self) -> dict[str, Duplicates]:
        """The titles, the references and the names (of files, in different folders) that occur more than once."""
        return {name: self._repeated(text) for name, text in _TEXTS.items()}

    def _repeated(self, text: str) -> Duplicates:
        rows = self._database.execute(
            f"""with repeated as (
                  select {text} as text, count(*) as objects, min(key) as first, max(key) as last
                  from described where {text} is not null group by 1 having count(*) > 1)
                select text, objects, first, last, count(*) over (), sum(objects) over ()
                from repeated order by objects desc, text limit {SAMPLES}"""  # noqa: S608 - our own expressions
        ).fetchall()
        if not rows:
            return Duplicates()
        return Duplicates(
            texts=rows[0][4],
            objects=rows[0][5],
            samples=tuple(Repeated(text=row[0], count=row[1], keys=(row[2], row[3])) for row in rows),
        )
