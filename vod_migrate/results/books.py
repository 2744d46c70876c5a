"""What the results and the walks of VOD's library say about some keys: two of the books that are held against each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.results.session import QUERIES, Session, StoreConnection, storable

_LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """Where the facts of one migration in one bucket stand. migration_id: 0 where nothing is recorded of it yet."""

    source_id: int
    migration_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """A stretch of keys that a listing has covered: those that begin with `prefix`, after one key and up to another.

    listed: the keys that it named; age: seconds since they were asked for.
    """

    prefix: str
    after: str
    until: str | None
    listed: Sequence[str]
    age: float

    @property
    def end(self) -> str:
        """The last key that belongs to it."""
        return self.prefix + _LAST_CHARACTER if self.until is None else self.until


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """What the results say about an object. own: whether the migration owns it, else `migration` names the owner.

    size: bytes; recent: settled so lately that VOD may not show its media yet; drawn: it is in the random part.
    """

    key: str
    own: bool
    migration: str
    registered: bool
    gone: bool
    size: int | None
    etag: str | None
    media_id: str | None
    code: str | None
    settled_at: dt.datetime
    recent: bool
    drawn: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryMedia:
    """A media of VOD's library that no fact of the bucket names. holder: BUCKET/KEY of the object whose fact has its MediaId, in any bucket."""

    key: str
    media_id: str
    made_at: dt.datetime
    holder: str | None = None


class Books(Session):
    """Reads facts beside a listing, and keeps what walks of VOD's library find."""

    def shelf(self, account: str, migration: str, bucket: str) -> Shelf:
        """Where the facts of a migration stand."""

        def work(connection: StoreConnection) -> Shelf:
            return Shelf(
                source_id=QUERIES.keep_source(connection, account=account, bucket=bucket),
                migration_id=QUERIES.migration_number(connection, account=account, name=migration) or 0,
            )

        return self._do(work)

    def facts_of_keys(
        self, shelf: Shelf, keys: Sequence[str], *, recent: float, millionths: int, seed: int
    ) -> dict[str, Fact]:
        """What is known about some keys. recent: for how many seconds a fact is; millionths, seed: of the random part, as `registered_objects`."""
        rows = self._ask(
            QUERIES.facts_of_keys,
            source_id=shelf.source_id,
            migration_id=shelf.migration_id,
            keys=list(keys),
            recent=recent,
            millionths=millionths,
            all_parts=ALL_PARTS,
            seed=seed,
        )
        return {row["key"]: Fact(**row) for row in rows}

    def facts_not_listed(self, shelf: Shelf, stretch: Stretch) -> Iterator[Fact]:
        """The migration's facts in a stretch that its listing did not name, by key."""
        rows = self._walk(
            QUERIES.facts_not_listed,
            {"key": stretch.after},
            source_id=shelf.source_id,
            migration_id=shelf.migration_id,
            first=stretch.prefix,
            until=stretch.end,
            listed=list(stretch.listed),
            age=stretch.age,
        )
        return (Fact(**row) for row in rows)

    def queued_among(self, shelf: Shelf, keys: Iterable[str]) -> set[str]:
        """Those of some keys that runs under way have in their queues."""
        asked = list(keys)
        if not asked:
            return set()
        return {row["key"] for row in self._ask(QUERIES.queued_among, source_id=shelf.source_id, keys=asked)}

    def unknown_media(self, shelf: Shelf, media_ids: Sequence[str]) -> list[str]:
        """Those of some MediaIds whose file nobody knows: no fact of the bucket names them, and no earlier walk has found them."""
        rows = self._ask(QUERIES.unknown_media, source_id=shelf.source_id, media_ids=list(media_ids))
        return [row["media_id"] for row in rows]

    def keep_library(self, shelf: Shelf, found: Sequence[LibraryMedia]) -> None:
        """Keeps media that a walk has found."""
        self._ask(
            QUERIES.keep_library,
            source_id=shelf.source_id,
            media_ids=[storable(one.media_id) for one in found],
            keys=[storable(one.key) for one in found],
            made=[one.made_at for one in found],
        )

    def media_of_keys(self, shelf: Shelf, keys: Sequence[str], *, since: dt.datetime) -> dict[str, list[LibraryMedia]]:
        """Media of some keys' files that no fact names, the oldest first. since: when the walk began, by the database's clock."""
        found: dict[str, list[LibraryMedia]] = {}
        for row in self._ask(QUERIES.media_of_keys, source_id=shelf.source_id, keys=list(keys), since=since):
            found.setdefault(row["key"], []).append(LibraryMedia(**row))
        return found

    def media_not_listed(self, shelf: Shelf, stretch: Stretch, *, since: dt.datetime) -> Iterator[LibraryMedia]:
        """Media of files in a stretch that its listing did not name, by key. since: as above."""
        rows = self._walk(
            QUERIES.media_not_listed,
            {"key": stretch.after, "media_id": _LAST_CHARACTER},
            source_id=shelf.source_id,
            since=since,
            first=stretch.prefix,
            until=stretch.end,
            listed=list(stretch.listed),
        )
        return (LibraryMedia(**row) for row in rows)

    def forget_library(self, shelf: Shelf) -> None:
        """Drops what no walk of the last day has seen."""
        self._ask(QUERIES.forget_library, source_id=shelf.source_id)
