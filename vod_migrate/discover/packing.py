"""Packs successive pages of a listing anew, into pages of up to 1,000 keys of which none is small for long."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from vod_migrate.discover.listing import cursor_after
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.discover.selection import storable


def packed(pages: Iterable[ListedPage], *, most: int = PAGE_KEYS) -> Iterator[ListedPage]:
    """The same objects in order, in pages of `most`; the last two share what is left, so that a page that grew by one is no page of one.

    pages: with their elements, which those that come out have no more; each of these has a digest instead. The last one ends where
    the last of `pages` does.
    """
    held, last = ListedPage(objects=(), cursor=None), None
    within: deque[ListedPage] = deque()
    for last in pages:
        within.append(last)
        held = replace(
            held,
            objects=held.objects + last.objects,
            elements=held.elements + last.elements,
            fetched=_first_fetched(within),
        )
        while len(held.objects) >= 2 * most:
            page, held = _cut(held, most)
            yield page
            # An empty page speaks for what lies between its neighbours, so it goes with the one behind it.
            while len(held.objects) + (not within[0].objects) <= sum(
                len(one.objects) for one in islice(within, 1, None)
            ):
                within.popleft()
            held = replace(held, fetched=_first_fetched(within))
    if last is None:
        return
    if len(held.objects) > most:
        page, held = _cut(held, (len(held.objects) + 1) // 2)
        yield page
    page, _ = _cut(held, len(held.objects))
    yield replace(page, cursor=last.cursor, until=last.until)


def _first_fetched(pages: Iterable[ListedPage]) -> float | None:
    return min((page.fetched for page in pages if page.fetched is not None), default=None)


def _cut(held: ListedPage, count: int) -> tuple[ListedPage, ListedPage]:
    objects = held.objects[:count]
    whole = len(held.elements) == len(held.objects)
    page = replace(
        held,
        objects=objects,
        elements=(),
        # A cursor is text in the results store.
        cursor=cursor_after(next((found.key for found in reversed(objects) if storable(found.key)), "")),
        digest=digest_of(b"".join(held.elements[:count])) if whole else None,
    )
    return page, replace(held, objects=held.objects[count:], elements=held.elements[count:])
