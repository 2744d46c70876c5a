"""Pages of an OSS prefix of which nothing but the end is read: enough to ask for the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from vod_migrate.cloud.list_page import end_of, objects_in
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.discover.prefix_pages import MOST_EMPTY_PAGES, check_order, read_page
from vod_migrate.errors import ListingBroken
from vod_migrate.results.scan import ListedRange


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadPage:
    """A page as OSS sent it.

    answer: as `BucketClient.list_unread` gives it, None where nobody needs it; last: its last key, or the one that it begins behind; same: its
    objects are those of the range that was known; final: nothing follows; fetched: as in a ListedPage.
    """

    answer: Any
    last: str
    fetched: float
    same: bool = False
    final: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return 0 if self.answer is None else len(self.answer.body)


def unread_pages(
    bucket: BucketClient,
    prefix: str,
    after: str,
    known: ListedRange | None = None,
    *,
    most: int = PAGE_KEYS,
    sleep: Callable[[float], None],
) -> Iterator[UnreadPage]:
    """The pages behind a key, one after the other. The last one is empty, since what OSS calls the last is followed by a request for one key more.

    known: the first page has as many keys as this range had, and is the only one where that has not changed; sleep: waits between tries.

    Raises:
        As `list_pages`.
    """
    where, asked, empty = {"after": after}, most, 0
    if known is not None:
        asked = min(known.listed, most)
    while True:
        fetched = time.monotonic()
        answer, end = patiently(partial(_asked, bucket, prefix, where, asked, known), sleep=sleep, tries=TRIES)
        if isinstance(end, ListedRange):
            # Memory holds no page that nobody will read.
            kept = None if end.settled else answer
            yield UnreadPage(answer=kept, last=end.until, fetched=fetched, same=True, final=True)
            return
        known = None
        if end.cursor is not None and end.cursor == where.get("token"):
            raise ListingBroken(f"OSS repeated a page of {prefix!r}: its next token is the one just used")
        empty = 0 if end.objects else empty + 1
        if empty > MOST_EMPTY_PAGES:
            raise ListingBroken(f"OSS sends endless pages of {prefix!r} without an object")
        after = check_order(end, prefix, after or None) or ""
        final = end.cursor is None and not end.objects
        yield UnreadPage(answer=answer, last=after, fetched=fetched, final=final)
        if final:
            return
        where, asked = ({"after": after}, 1) if end.cursor is None else ({"token": end.cursor}, most)


def _asked(
    bucket: BucketClient, prefix: str, where: dict[str, str], most: int, known: ListedRange | None
) -> tuple[Any, ListedPage | ListedRange]:
    """A page, and its end, or the range that it still is."""
    answer = bucket.list_unread(prefix, most=most, **where)
    if known is not None and digest_of(objects_in(answer.body)) == known.digest:
        return answer, known
    return answer, read_page(bucket.read(end_of(answer)), bucket.name, prefix)
