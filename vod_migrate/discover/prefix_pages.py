"""Objects from listing an OSS prefix, one page of 1,000 keys after the other.

An impossible page (keys out of order, repeated, outside the prefix, truncated without a token or complete with one) is
an error, never a short listing: a listing that lies would mark living objects as gone. For the same reason the end of a
listing counts only once OSS has confirmed that there is nothing after the last key.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise
from operator import lt
from typing import Any

from vod_migrate.cloud.list_page import objects_in
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.errors import ListingBroken
from vod_migrate.media import MediaObject

log = logging.getLogger(__name__)


MOST_EMPTY_PAGES = 100


_AFTER = "after:"
"""Begins a cursor of our own: a key to continue after. OSS's tokens are base64, which has no colon."""


def list_pages(
    bucket: BucketClient,
    prefix: str,
    *,
    after: str = "",
    delimiter: str = "",
    sleep: Callable[[float], None] = time.sleep,
    elements: bool = False,
) -> Iterator[ListedPage]:
    """The pages of a prefix.

    after: the key to begin behind; delimiter: '/' leaves subfolders out; sleep: waits between tries; elements: whether pages
    keep the elements of their objects.

    Raises:
        SourceUnavailable: after its retries; SourceDenied, BucketMissing, ListingBroken: at once.
    """
    cursor = cursor_after(after) if after else None
    last, empty = after or None, 0
    while True:
        asked = time.monotonic()
        page = read_page(_asked(bucket, prefix, cursor, delimiter, sleep), bucket.name, prefix, elements=elements)
        page = replace(page, fetched=asked)
        # One by folders has no objects where there are only folders.
        empty = 0 if page.objects or delimiter else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise ListingBroken(f"OSS keeps sending pages of {prefix!r} without an object")
        if page.cursor is not None and page.cursor == cursor:
            raise ListingBroken(f"OSS repeated a page of {prefix!r}: its next token is the one just used")
        last = check_order(page, prefix, last)
        if page.cursor is None and page.objects and not delimiter and _goes_on(bucket, prefix, last, sleep):
            log.warning(
                "OSS ended the listing of %r after %r, but has more objects; the listing continues there", prefix, last
            )
            page = replace(page, cursor=cursor_after(last))
        yield page
        if page.cursor is None:
            return
        cursor = page.cursor


def read_ahead(pages: Iterator[ListedPage]) -> Iterator[ListedPage]:
    """The same pages; each is asked for as soon as the one before it is there, while that is merged."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        coming = pool.submit(next, pages, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, pages, None)
            yield page
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _goes_on(bucket: BucketClient, prefix: str, last: str | None, sleep: Callable[[float], None]) -> bool:
    """Whether OSS has objects after the one at which it says that the listing ends: one small request a listing.

    What a listing leaves out by mistake would be marked as gone.
    """
    more = _asked(bucket, prefix, cursor_after(last), "", sleep, 1)
    return any(last is None or sortable(key) > sortable(last) for key, *_ in more.object_list)


def _asked(
    bucket: BucketClient,
    prefix: str,
    cursor: str | None,
    delimiter: str,
    sleep: Callable[[float], None],
    most: int | None = None,
) -> Any:
    token = cursor or ""
    where = {"after": token.removeprefix(_AFTER)} if token.startswith(_AFTER) else {"token": token}
    return patiently(
        lambda: bucket.list_page(prefix, delimiter=delimiter, most=most or PAGE_KEYS, **where), sleep=sleep, tries=TRIES
    )


def read_page(result: Any, bucket: str, prefix: str, *, elements: bool = False) -> ListedPage:
    """A page as `BucketClient.list_page` gives it. elements: see `list_pages`.

    Raises:
        ListingBroken: it contradicts itself.
    """
    if result.is_truncated and not result.next_continuation_token:
        raise ListingBroken(
            f"OSS says that the listing of {prefix!r} continues, but returns no token for the next page"
        )
    if result.next_continuation_token and not result.is_truncated:
        raise ListingBroken(f"OSS says that the listing of {prefix!r} is complete, but returns a token for a next page")
    if result.prefix is not None and result.prefix != prefix:
        raise ListingBroken(f"OSS was asked to list the prefix {prefix!r}, but listed {result.prefix!r}")
    told, copy = objects_in(result.body), result.restored.get
    return ListedPage(
        objects=tuple(
            [
                MediaObject(
                    bucket=bucket,
                    key=key,
                    size=size,
                    etag=etag.strip('"'),
                    last_modified=modified,
                    storage_class=storage_class,
                    restored=copy(key),
                )
                for (key, _, etag, size, storage_class), modified in zip(
                    result.object_list, _moments(result.object_list), strict=True
                )
            ]
        ),
        cursor=result.next_continuation_token if result.is_truncated else None,
        digest=digest_of(told),
        elements=told if elements else b"",
    )


def cursor_after(key: str | None) -> str:
    """A cursor that continues after a key."""
    return f"{_AFTER}{key or ''}"


def _moments(objects: Sequence[tuple[str, str, str, int, str]]) -> list[dt.datetime]:
    read, moments, of = dt.datetime.fromisoformat, [], ""
    try:
        for key, text, _, _, _ in objects:
            of = key
            moments.append(read(text))
    except ValueError as error:
        raise ListingBroken(f"OSS listed {of!r} with no readable LastModified: {error}") from error
    return moments


def check_order(page: ListedPage, prefix: str, last: str | None) -> str | None:
    """The last key of a page, or the one before it.

    Raises:
        ListingBroken: keys are out of order, or outside the prefix.
    """
    keys = [found.key for found in page.objects]
    order = [] if last is None else [sortable(last)]
    try:
        order.extend(map(str.encode, keys))
    except UnicodeEncodeError:
        order[len(order) :] = map(sortable, keys)
    if not all(map(lt, order, islice(order, 1, None))):
        wrong = next(place for place, (one, other) in enumerate(pairwise(order)) if one >= other)
        raise ListingBroken(f"OSS listed {keys[wrong + len(keys) + 1 - len(order)]!r} out of order under {prefix!r}")
    # What lies between two keys that begin alike begins like them.
    for key in (keys[0], keys[-1]) if keys else ():
        if not key.startswith(prefix):
            raise ListingBroken(f"OSS listed {key!r}, which is outside the prefix {prefix!r}")
    return keys[-1] if keys else last


def sortable(key: str) -> bytes:
    """A key as OSS orders keys."""
    return key.encode("utf-8", "surrogateescape")
