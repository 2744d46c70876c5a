"""Packs successive pages of a listing anew, into pages of up to 1,000 keys of which none is small for long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

from vod_migrate.cloud.list_page import apart
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.discover.prefix_pages import cursor_after
from vod_migrate.discover.selection import storable
from vod_migrate.errors import VodMigrateError
from vod_migrate.media import MediaObject


def packed(pages: Iterable[ListedPage], *, most: int = PAGE_KEYS, share: bool = True) -> Iterator[ListedPage]:
    """The same objects in order, in pages of at most `most` and at least half of that, if there are so many.

    Full ones stay as they are; a small one and those behind it share what they have.

    pages: with their elements, which those that come out have no more; each of these has a digest instead. The last one ends where
    the last of `pages` does. Where they break off, what came before is not lost. share: a full one waits for the next, which may be
    small; in a first listing nobody waits for a page that OSS may be long in sending.
    """
    held: list[ListedPage] = []
    last = None
    try:
        for last in pages:
            held.append(last)
            if (
                not share
                and len(held) == 1
                and len(last.objects) >= most
                and last.until is None
                and last.cursor is not None
            ):
                yield from _shared(held, most)
                held.clear()
            while (count := _enough(held, most)) < len(held) and _objects(held[count:]) >= most:
                yield from _shared(held[:count], most)
                del held[:count]
    except VodMigrateError:
        if held:
            yield from _shared(held, most)
        raise
    if last is None or not held:
        return
    *full, end = _shared(held, most)
    yield from full
    yield replace(end, cursor=last.cursor, until=last.until)


def _objects(pages: Sequence[ListedPage]) -> int:
    return sum(len(page.objects) for page in pages)


def _enough(pages: Sequence[ListedPage], most: int) -> int:
    """How many of the first pages have as many objects as a full one."""
    counts = accumulate(len(page.objects) for page in pages)
    return next((place for place, count in enumerate(counts, start=1) if count >= most), len(pages))


def _shared(pages: Sequence[ListedPage], most: int) -> Iterator[ListedPage]:
    """The objects of some pages, in as few pages as can hold them, which are alike."""
    objects, sent, digest = pages[0].objects, pages[0].elements, pages[0].digest
    if len(pages) > 1:
        objects = tuple(found for page in pages for found in page.objects)
        sent = b"".join(page.elements for page in pages)
        digest = digest_of(sent)
    whole = replace(
        pages[0],
        elements=b"",
        until=None,
        fetched=min((page.fetched for page in pages if page.fetched is not None), default=None),
    )
    if len(objects) <= most:
        yield replace(whole, objects=objects, digest=digest, cursor=_behind(objects))
        return
    elements, parts = apart(sent), -(-len(objects) // most)
    for part in range(parts):
        place = slice(len(objects) * part // parts, len(objects) * (part + 1) // parts)
        told = digest_of(b"".join(elements[place]))
        yield replace(whole, objects=objects[place], digest=told, cursor=_behind(objects[place]))


def _behind(objects: Sequence[MediaObject]) -> str:
    """A cursor is text in the results store."""
    return cursor_after(next((found.key for found in reversed(objects) if storable(found.key)), ""))
