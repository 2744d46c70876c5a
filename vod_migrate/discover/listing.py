"""Objects from listing an OSS prefix, one page of 1,000 keys at a time, from any cursor.

An impossible page (keys out of order, repeated, outside the prefix, truncated without a token or complete with one) is
an error, never a short listing: a listing that lies would mark living objects as gone. For the same reason the end of a
listing counts only once OSS has confirmed that there is nothing after the last key.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.errors import ListingBroken
from vod_migrate.media import MediaObject

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

log = logging.getLogger(__name__)


MOST_EMPTY_PAGES = 100


_AFTER = "after:"
"""Begins a cursor of our own: a key to continue after. OSS's tokens are base64, which has no colon."""


def list_pages(
    bucket: BucketClient,
    prefix: str,
    *,
    cursor: str | None = None,
    after: str | None = None,
    delimiter: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ListedPage]:
    """The pages of a prefix, from a cursor on.

    after: the last key before the cursor, to check the order against; delimiter: '/' leaves subfolders out;
    sleep: waits between tries.

    Raises:
        SourceUnavailable: after its retries; SourceDenied, BucketMissing, ListingBroken: at once.
    """
    last, empty = after, 0
    while True:
        asked = time.monotonic()
        page = replace(_page(bucket, prefix, cursor, delimiter, sleep), fetched=asked)
        # One by folders has no objects where there are only folders.
        empty = 0 if page.objects or delimiter else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise ListingBroken(f"OSS sends endless pages of {prefix!r} without an object")
        if page.cursor is not None and page.cursor == cursor:
            raise ListingBroken(f"OSS repeated a page of {prefix!r}: its next token is the one just used")
        last = _check(page, prefix, last)
        if page.cursor is None and page.objects and not delimiter and _goes_on(bucket, prefix, last, sleep):
            log.warning("OSS ended the listing of %r after %r, but has more; going on there", prefix, last)
            page = replace(page, cursor=f"{_AFTER}{last}")
        yield page
        if page.cursor is None:
            return
        cursor = page.cursor


def _goes_on(bucket: BucketClient, prefix: str, last: str | None, sleep: Callable[[float], None]) -> bool:
    """Whether OSS has objects after the one at which it says that the listing ends: one small request a listing.

    What a listing leaves out by mistake would be marked as gone.
    """
    more = _page(bucket, prefix, f"{_AFTER}{last}", "", sleep, 1)
    return any(last is None or _sortable(found.key) > _sortable(last) for found in more.objects)


def _page(
    bucket: BucketClient,
    prefix: str,
    cursor: str | None,
    delimiter: str,
    sleep: Callable[[float], None],
    most: int | None = None,
) -> ListedPage:
    where = _from(cursor)
    result = patiently(
        lambda: bucket.list_page(prefix, delimiter=delimiter, most=most or PAGE_KEYS, **where), sleep=sleep, tries=TRIES
    )
    if result.is_truncated and not result.next_continuation_token:
        raise ListingBroken(f"OSS says that the listing of {prefix!r} goes on, but names no next page")
    if result.next_continuation_token and not result.is_truncated:
        raise ListingBroken(f"OSS says that the listing of {prefix!r} is complete, and names a next page")
    if result.prefix is not None and result.prefix != prefix:
        raise ListingBroken(f"OSS was asked for the prefix {prefix!r} and answered for {result.prefix!r}")
    return ListedPage(
        objects=tuple(
            MediaObject(
                bucket=bucket.name,
                key=key,
                size=size,
                etag=etag.strip('"'),
                last_modified=_moment(modified, key),
                storage_class=storage_class,
                restored=result.restored.get(key),
            )
            for key, modified, etag, size, storage_class in result.object_list
        ),
        cursor=result.next_continuation_token if result.is_truncated else None,
    )


def _from(cursor: str | None) -> dict[str, str]:
    if cursor is not None and cursor.startswith(_AFTER):
        return {"after": cursor.removeprefix(_AFTER)}
    return {"token": cursor or ""}


def _moment(text: str, key: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ListingBroken(f"OSS listed {key!r} with no readable LastModified: {error}") from error


def _check(page: ListedPage, prefix: str, last: str | None) -> str | None:
    before = None if last is None else _sortable(last)
    for found in page.objects:
        if not found.key.startswith(prefix):
            raise ListingBroken(f"OSS listed {found.key!r}, which is outside the prefix {prefix!r}")
        this = _sortable(found.key)
        if before is not None and this <= before:
            raise ListingBroken(f"OSS listed {found.key!r} out of order under {prefix!r}")
        before, last = this, found.key
    return last


def _sortable(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
