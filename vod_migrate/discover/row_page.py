"""Rows → pages of 1,000, each with the cursor behind it; what all sources of rows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

from vod_migrate.discover.page import PAGE_KEYS, ListedPage
from vod_migrate.discover.selection import sample_of
from vod_migrate.discover.table import Row
from vod_migrate.errors import ManifestBroken
from vod_migrate.media import BrokenRow, MediaObject, Rejected
from vod_migrate.results.scan import SAMPLES

T = TypeVar("T")


RowResult = MediaObject | BrokenRow | Rejected
"""What one row says."""


def row_pages(
    rows: Iterable[Row], read: Callable[[Row], RowResult], *, start: int, cursor: str, last: bool = True
) -> Iterator[ListedPage]:
    """Pages of what rows say, from row `start` on; at least one, so that an empty source ends, too.

    cursor: what stands in a cursor before the number of a row, counted from 0; last: whether nothing follows these rows.
    """
    rest: Iterator[RowResult] = map(read, islice(rows, start, None))
    place = start
    while True:
        taken = list(islice(rest, PAGE_KEYS))
        place += len(taken)
        following = next(rest, None)
        ended = following is None
        yield _page(taken, cursor=None if ended and last else f"{cursor}{place}")
        if following is None:
            return
        rest = chain([following], rest)


def interruptible(rows: Iterable[T], sleep: Callable[[float], None]) -> Iterator[T]:
    """The rows as they are, with a pause of no length every thousand: it may raise, which ends a pass of millions."""
    for number, row in enumerate(rows):
        if number % PAGE_KEYS == 0:
            sleep(0.0)
        yield row


def resume_position(cursor: str | None, version: str, name: str) -> tuple[int, ...]:
    """Where a cursor points: the numbers behind the version of the file that it was made for; () without one.

    Raises:
        ManifestBroken: the file is another one by now.
    """
    if cursor is None:
        return ()
    made_for, _, numbers = cursor.rpartition("@")
    if made_for != version:
        raise ManifestBroken(f"{name} has changed since this run began to read it: start a new run")
    return tuple(int(number) for number in numbers.split(":"))


def _page(taken: list[RowResult], *, cursor: str | None) -> ListedPage:
    objects: dict[str, MediaObject] = {}
    broken: dict[str, BrokenRow] = {}
    left_out: dict[str, int] = {}
    samples: dict[str, list[str]] = {}

    def leave_out(reason: str, sample: str) -> None:
        left_out[reason] = left_out.get(reason, 0) + 1
        if left_out[reason] <= SAMPLES:
            samples.setdefault(reason, []).append(sample)

    for one in taken:
        if isinstance(one, Rejected):
            leave_out(one.code, one.message)
        elif one.key in objects or one.key in broken:
            leave_out("duplicate", sample_of(one.key))
        elif isinstance(one, BrokenRow):
            broken[one.key] = one
        else:
            objects[one.key] = one
    return ListedPage(
        objects=tuple(objects.values()),
        cursor=cursor,
        broken=tuple(broken.values()),
        left_out=left_out,
        samples=samples,
        rows=len(taken) - len(objects) - len(broken),
    )
