"""Pages of objects out of millions: each begins at a place in an index, and reads no more than it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vod_migrate.report.browse.access import QUERIES, Readable, directed, filters, read_only
from vod_migrate.report.browse.search import PageCursor, Search, prefix_end
from vod_migrate.results.session import StoreConnection
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
    with read_only(store) as connection:
        if search.media_id is not None and after is None and before is None:
            lines = _of_media(connection, search, readable)
            if lines:
                return ObjectsPage(lines=tuple(lines[:most]), before=None, after=None, total=len(lines))
        # A page is read in the order of an index; a bitmap would read all that follows, and sort it.
        connection.execute("set local enable_bitmapscan = off")
        migrations = _migrations(connection, search, readable)
        places = _places(connection, search, migrations, readable)
        preceding = before is not None
        back = preceding is not search.backwards
        found = list(_found(connection, search, places, readable, cursor=before or after, back=back, most=most + 1))
        if preceding and not found:
            # The page before has become empty in the meantime.
            preceding, after = False, None
            back = search.backwards
            found = list(_found(connection, search, places, readable, cursor=None, back=back, most=most + 1))
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
    with read_only(store) as connection:
        return tuple(_codes(connection, readable, None, None).items())


def seen_migrations(store: Store, *, readable: Readable) -> tuple[tuple[str, str], ...]:
    """(account, migration) of every migration that the reader may see, by name."""
    with read_only(store) as connection:
        return tuple((row["account"], row["migration"]) for row in _migrations(connection, Search(), readable))


def found_migrations(store: Store, *, readable: Readable) -> tuple[tuple[str, str, int], ...]:
    """(account, migration, objects) of every migration that has objects, by name: what a search can choose from."""
    with read_only(store) as connection:
        rows = _migrations(connection, Search(), readable)
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


def _of_media(connection: StoreConnection, search: Search, readable: Readable) -> list[ObjectLine]:
    rows = QUERIES.objects_of_media(connection, media_id=search.media_id, most=OBJECTS_A_PAGE, **filters(readable))
    return [
        line
        for line in (ObjectLine(**row) for row in rows)
        if line.state in search.states
        and search.account in (None, line.account)
        and search.migration in (None, line.migration)
        and search.bucket in (None, line.bucket)
        and search.code in (None, line.code)
    ]


def _migrations(connection: StoreConnection, search: Search, readable: Readable) -> list[dict[str, Any]]:
    return list(
        QUERIES.search_migrations(
            connection,
            account=search.account,
            migration=search.migration,
            states=list(search.states),
            code=search.code,
            **filters(readable),
        )
    )


def _codes(
    connection: StoreConnection, readable: Readable, account: str | None, migration: str | None
) -> dict[str, int]:
    rows = QUERIES.search_codes(connection, account=account, migration=migration, most=_MOST_CODES, **filters(readable))
    return {row["code"]: row["objects"] for row in rows}


def _places(
    connection: StoreConnection, search: Search, migrations: list[dict[str, Any]], readable: Readable
) -> list[_Place]:
    # A migration without such objects is not asked for any; what is pending for the second time is counted with the failed.
    numbers = [row["migration_id"] for row in migrations if row["objects"] or "pending" in search.states]
    rows = QUERIES.search_sources(
        connection,
        migrations=numbers,
        bucket=search.bucket,
        first=search.prefix,
        beyond=prefix_end(search.prefix) or _BEYOND_ALL,
        pending="pending" in search.states,
        **filters(readable),
    )
    return sorted((_Place(**row) for row in rows), key=lambda place: place.order)


def _found(
    connection: StoreConnection,
    search: Search,
    places: list[_Place],
    readable: Readable,
    *,
    cursor: PageCursor | None,
    back: bool,
    most: int,
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
        rows = _rows(connection, search, place, readable, key=key, back=back, most=left)
        for row in sorted(rows, key=lambda row: str(row["key"]), reverse=back)[:left]:
            left -= 1
            yield ObjectLine(account=place.account, migration=place.migration, bucket=place.bucket, **row)


def _rows(
    connection: StoreConnection,
    search: Search,
    place: _Place,
    readable: Readable,
    *,
    key: str | None,
    back: bool,
    most: int,
) -> list[dict[str, Any]]:
    """Up to `most` rows of each of the wanted kinds, from the cursor's key on or from the edge of the prefix."""
    end = prefix_end(search.prefix) or _BEYOND_ALL
    asked = {
        "source_id": place.source_id,
        "migration_id": place.migration_id,
        "first": search.prefix,
        "after": "" if back else key or "",
        "beyond": min(key or end, end) if back else end,
        "most": most,
        **filters(readable),
    }
    # In a bucket of several migrations, what lies before and behind its own facts is not read.
    facts = asked | {
        "first": max(search.prefix, place.first_key or ""),
        "beyond": min(asked["beyond"], (place.last_key or _BEYOND_ALL) + _NEXT),
    }

    def read(query: Any, asked: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        return connection.execute(directed(query, down=back), asked | more).fetchall()

    rows: list[dict[str, Any]] = []
    match search.states:
        case ("failed",):
            codes = [search.code] if search.code else list(_codes(connection, readable, place.account, place.migration))
            rows += read(QUERIES.failed_lines, asked, codes=codes)
        case ("gone",):
            rows += read(QUERIES.gone_lines, asked)
        case ("registered",):
            rows += read(QUERIES.fact_lines, facts, state="registered")
        case ("pending",):
            pass
        case _:
            rows += read(QUERIES.fact_lines, facts, state=None)
    if place.queues:
        rows += read(QUERIES.pending_lines, asked, queues=place.queues)
    return rows
