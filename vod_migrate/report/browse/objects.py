"""Pages of objects out of millions: each begins at a place in an index, and reads no more than it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vod_migrate.report.browse.access import QUERIES, Readable, Reader, reading
from vod_migrate.report.browse.search import PageCursor, Search, prefix_end
from vod_migrate.results.store import Store

OBJECTS_A_PAGE = 50
_MOST_CODES = 100
_WALKED_AT_ONCE = 2_000
_BEYOND_ALL = "\U0010ffff" * 256  # a key has 1,023 bytes at most
_NEXT = "\x01"
"""With it, a key is the first one behind itself that Postgres can hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectLine:
    """One object and what became of it. size: bytes, None where a manifest did not say. updated: when it was settled, or queued."""

    account: str
    migration: str
    bucket: str
    key: str
    state: str
    code: str | None
    media_id: str | None
    size: int | None
    updated: dt.datetime

    @property
    def place(self) -> PageCursor:
        """Where it stands in the order of pages."""
        return PageCursor(migration=self.migration, account=self.account, bucket=self.bucket, key=self.key)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectsPage:
    """Objects by migration, bucket and key, or backwards. before, after: where the neighbouring pages end and begin, None where there is none.

    total: how many the search finds, None where only reading them all would tell.
    """

    lines: tuple[ObjectLine, ...]
    before: PageCursor | None
    after: PageCursor | None
    total: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """One migration in one bucket. first_key, last_key: its facts lie between them, if it has any; queues: whose work is pending."""

    account: str
    migration: str
    bucket: str
    migration_id: int
    source_id: int
    first_key: str | None
    last_key: str | None
    queues: list[int]

    @property
    def order(self) -> tuple[str, str, str]:
        return self.migration, self.account, self.bucket


def find_objects(
    store: Store,
    search: Search,
    *,
    readable: Readable,
    after: PageCursor | None = None,
    before: PageCursor | None = None,
    most: int = OBJECTS_A_PAGE,
) -> ObjectsPage:
    """One page: the first, the one after a place, or the one before it."""
    with reading(store, readable) as reader:
        if search.media_id is not None and after is None and before is None:
            lines = _of_media(reader, search)
            if lines:
                return ObjectsPage(lines=tuple(lines[:most]), before=None, after=None, total=len(lines))
        # A page is read in the order of an index; a bitmap would read all that follows, and sort it.
        reader.connection.execute("set local enable_bitmapscan = off")
        migrations = _migrations(reader, search)
        places = _places(reader, search, migrations)
        preceding = before is not None
        back = preceding is not search.backwards
        found = list(_found(reader, search, places, cursor=before or after, back=back, most=most + 1))
        if preceding and not found:
            # The page before has become empty in the meantime.
            preceding, after = False, None
            back = search.backwards
            found = list(_found(reader, search, places, cursor=None, back=back, most=most + 1))
    shown = found[:most][::-1] if preceding else found[:most]
    further = len(found) > most
    return ObjectsPage(
        lines=tuple(shown),
        before=shown[0].place if shown and (further if preceding else after is not None) else None,
        after=shown[-1].place if shown and (preceding or further) else None,
        total=sum(row["objects"] for row in migrations) if search.counted else None,
    )


def found_codes(store: Store, *, readable: Readable) -> tuple[tuple[str, int], ...]:
    """The codes of failed objects and how many objects have each, the most frequent first: what a search can choose from."""
    with reading(store, readable) as reader:
        return tuple(_codes(reader, None, None).items())


def seen_migrations(store: Store, *, readable: Readable) -> tuple[tuple[str, str], ...]:
    """(account, migration) of every migration that the reader may see, by name."""
    with reading(store, readable) as reader:
        return tuple((row["account"], row["migration"]) for row in _migrations(reader, Search()))


def found_migrations(store: Store, *, readable: Readable) -> tuple[tuple[str, str, int], ...]:
    """(account, migration, objects) of every migration that has objects, by name: what a search can choose from."""
    with reading(store, readable) as reader:
        rows = _migrations(reader, Search())
        return tuple((row["account"], row["migration"], row["objects"]) for row in rows if row["objects"])


def walk_objects(store: Store, search: Search, *, readable: Readable, most: int) -> Iterator[ObjectLine]:
    """Up to `most` objects of a search, in the order of its pages. Each stretch is a query of its own: nothing is held between them."""
    place: PageCursor | None = None
    left = most
    while left > 0:
        page = find_objects(store, search, readable=readable, after=place, most=min(left, _WALKED_AT_ONCE))
        yield from page.lines
        left -= len(page.lines)
        place = page.after
        if place is None:
            return


def _of_media(reader: Reader, search: Search) -> list[ObjectLine]:
    rows = reader.rows(QUERIES.objects_of_media, media_id=search.media_id, most=OBJECTS_A_PAGE)
    return [
        line
        for line in (ObjectLine(**row) for row in rows)
        if line.state in search.states
        and search.account in (None, line.account)
        and search.migration in (None, line.migration)
        and search.bucket in (None, line.bucket)
        and search.code in (None, line.code)
    ]


def _migrations(reader: Reader, search: Search) -> list[dict[str, Any]]:
    return reader.rows(
        QUERIES.search_migrations,
        account=search.account,
        migration=search.migration,
        states=list(search.states),
        code=search.code,
    )


def _codes(reader: Reader, account: str | None, migration: str | None) -> dict[str, int]:
    rows = reader.rows(QUERIES.search_codes, account=account, migration=migration, most=_MOST_CODES)
    return {row["code"]: row["objects"] for row in rows}


def _places(reader: Reader, search: Search, migrations: list[dict[str, Any]]) -> list[_Place]:
    # A migration without such objects is not asked for any; what is pending for the second time is counted with the failed.
    numbers = [row["migration_id"] for row in migrations if row["objects"] or "pending" in search.states]
    rows = reader.rows(
        QUERIES.search_sources,
        migrations=numbers,
        bucket=search.bucket,
        first=search.prefix,
        beyond=prefix_end(search.prefix) or _BEYOND_ALL,
        pending="pending" in search.states,
    )
    return sorted((_Place(**row) for row in rows), key=lambda place: place.order)


def _found(
    reader: Reader, search: Search, places: list[_Place], *, cursor: PageCursor | None, back: bool, most: int
) -> Iterator[ObjectLine]:
    """Bucket by bucket, so that each is one stretch of one index."""
    here = None if cursor is None else cursor.order
    left = most
    for place in reversed(places) if back else places:
        if left <= 0:
            return
        if here is not None and (place.order > here if back else place.order < here):
            continue
        key = cursor.key if cursor is not None and place.order == here else None
        rows = _rows(reader, search, place, key=key, back=back, most=left)
        for row in sorted(rows, key=lambda row: str(row["key"]), reverse=back)[:left]:
            left -= 1
            yield ObjectLine(account=place.account, migration=place.migration, bucket=place.bucket, **row)


def _rows(
    reader: Reader, search: Search, place: _Place, *, key: str | None, back: bool, most: int
) -> list[dict[str, Any]]:
    """Up to `most` rows of each of the wanted kinds, from the cursor's key on or from the edge of the prefix."""
    end = prefix_end(search.prefix) or _BEYOND_ALL
    asked: dict[str, Any] = {
        "source_id": place.source_id,
        "migration_id": place.migration_id,
        "first": search.prefix,
        "after": "" if back else key or "",
        "beyond": min(key or end, end) if back else end,
        "most": most,
        "down": back,
    }
    # In a bucket of several migrations, what lies before and behind its own facts is not read.
    facts = asked | {
        "first": max(search.prefix, place.first_key or ""),
        "beyond": min(asked["beyond"], (place.last_key or _BEYOND_ALL) + _NEXT),
    }
    rows: list[dict[str, Any]] = []
    match search.states:
        case ("failed",):
            codes = [search.code] if search.code else list(_codes(reader, place.account, place.migration))
            rows += reader.rows(QUERIES.failed_lines, codes=codes, **asked)
        case ("gone",):
            rows += reader.rows(QUERIES.gone_lines, **asked)
        case ("registered",):
            rows += reader.rows(QUERIES.fact_lines, state="registered", **facts)
        case ("pending",):
            pass
        case _:
            rows += reader.rows(QUERIES.fact_lines, state=None, **facts)
    if place.queues:
        rows += reader.rows(QUERIES.pending_lines, queues=place.queues, **asked)
    return rows
