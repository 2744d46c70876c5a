"""Pages of objects out of millions: each begins at a place in an index, and reads no more than it shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg

from vod_migrate.report.browse.access import QUERIES, Readable, filters, read_only
from vod_migrate.report.browse.search import PageCursor, Search, prefix_end
from vod_migrate.results.store import Store

OBJECTS_A_PAGE = 50
_MOST_CODES = 100
_WALKED_AT_ONCE = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectLine:
    """One object and what became of it. size: bytes, None where a manifest did not say."""

    result_id: int
    account: str
    migration: str
    bucket: str
    key: str
    state: str
    code: str | None
    media_id: str | None
    size: int | None
    updated: dt.datetime

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the queries of objects."""
        return cls(**dict(zip(cls.__slots__, row, strict=True)))

    @property
    def place(self) -> PageCursor:
        """Where it stands in the order of pages."""
        return PageCursor(migration=self.migration, account=self.account, key=self.key, result_id=self.result_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectsPage:
    """Objects by migration and key. before, after: where the neighbouring pages end and begin, None where there is none.

    total: how many the search finds, None where only reading them all would tell.
    """

    lines: tuple[ObjectLine, ...]
    before: PageCursor | None
    after: PageCursor | None
    total: int | None


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
        places = _places(connection, search, readable)
        back = before is not None
        found = list(_found(connection, search, places, readable, place=before or after, back=back, most=most + 1))
        if back and not found:
            # What came before is gone meanwhile.
            back, after = False, None
            found = list(_found(connection, search, places, readable, place=None, back=False, most=most + 1))
    shown = found[:most][::-1] if back else found[:most]
    further = len(found) > most
    return ObjectsPage(
        lines=tuple(shown),
        before=shown[0].place if shown and (further if back else after is not None) else None,
        after=shown[-1].place if shown and (back or further) else None,
        total=sum(objects for _, _, objects in places) if search.counted else None,
    )


def found_codes(
    store: Store, *, readable: Readable, account: str | None = None, migration: str | None = None
) -> tuple[tuple[str, int], ...]:
    """The codes of failed objects and how many objects have each, the most frequent first: what a search can choose from."""
    with read_only(store) as connection:
        rows = QUERIES.search_codes(
            connection, account=account, migration=migration, most=_MOST_CODES, **filters(readable)
        )
        return tuple(rows)


def found_migrations(store: Store, *, readable: Readable) -> tuple[tuple[str, str, int], ...]:
    """(account, migration, objects) of every migration that has objects, by name: what a search can choose from."""
    with read_only(store) as connection:
        return tuple(_places(connection, Search(), readable))


def walk_objects(store: Store, search: Search, *, readable: Readable, most: int) -> Iterator[ObjectLine]:
    """Up to `most` objects of a search, in the order of its pages. Each stretch is a query of its own: nothing is held between them."""
    place: PageCursor | None = None
    left = most
    while left > 0:
        asked = min(left, _WALKED_AT_ONCE)
        page = find_objects(store, search, readable=readable, after=place, most=asked)
        yield from page.lines
        left -= len(page.lines)
        place = page.after
        if place is None:
            return


def _of_media(connection: psycopg.Connection, search: Search, readable: Readable) -> list[ObjectLine]:
    rows = QUERIES.objects_of_media(connection, media_id=search.media_id, most=OBJECTS_A_PAGE, **filters(readable))
    lines = (ObjectLine.from_row(row) for row in rows)
    return [
        line
        for line in lines
        if line.state in search.states
        and search.account in (None, line.account)
        and search.migration in (None, line.migration)
        and search.bucket in (None, line.bucket)
        and search.code in (None, line.code)
    ]


def _places(connection: psycopg.Connection, search: Search, readable: Readable) -> list[tuple[str, str, int]]:
    return list(
        QUERIES.search_places(
            connection,
            account=search.account,
            migration=search.migration,
            states=list(search.states),
            code=search.code,
            first=search.prefix,
            beyond=prefix_end(search.prefix),
            **filters(readable),
        )
    )


def _found(
    connection: psycopg.Connection,
    search: Search,
    places: list[tuple[str, str, int]],
    readable: Readable,
    *,
    place: PageCursor | None,
    back: bool,
    most: int,
) -> Iterator[ObjectLine]:
    """Migration by migration, so that each is one stretch of one index; those without such objects are not asked."""
    query = _query(search, back=back)
    here = None if place is None else (place.migration, place.account)
    left = most
    for account, migration, _ in reversed(places) if back else places:
        at = (migration, account)
        if left <= 0:
            return
        if here is not None and (at > here if back else at < here):
            continue
        key, result_id = _edge(search, place if at == here else None, back=back)
        rows = query(
            connection,
            account=account,
            migration=migration,
            states=list(search.states),
            code=search.code,
            bucket=search.bucket,
            first=search.prefix,
            beyond=prefix_end(search.prefix),
            key=key,
            result_id=result_id,
            most=left,
            **filters(readable),
        )
        for row in rows:
            left -= 1
            yield ObjectLine.from_row(row)


def _edge(search: Search, place: PageCursor | None, *, back: bool) -> tuple[str | None, int]:
    """Where reading begins: at the place, or at the prefix's own edge, also for a place outside of it, as an address may name."""
    if not back:
        inside = place is not None and place.key >= search.prefix
        return (place.key, place.result_id) if place is not None and inside else (search.prefix, -1)
    until = prefix_end(search.prefix)
    inside = place is not None and (until is None or place.key < until)
    return (place.key, place.result_id) if place is not None and inside else (until, -1)


def _query(search: Search, *, back: bool) -> Any:
    if search.code is not None:
        return QUERIES.failed_before if back else QUERIES.failed_after
    return QUERIES.objects_before if back else QUERIES.objects_after
