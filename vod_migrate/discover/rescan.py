"""Lists a prefix by what an earlier listing found: range by range, several requests at once.

Each range is asked for with as many keys as it had, from where the range before it ended. Where OSS sends the same bytes, nothing was added,
removed or changed between the two keys, and nobody reads them. Where it does not, or something in the range waits, the range is read to its
last key, and packed anew together with its neighbours of which that is true. No key lies in two ranges or in none, because each begins where
the one before it ends, whatever the bucket does meanwhile.

A playlist decides about objects of its folder and those below, so where a range with playlists changed, what lies there is read again, too:
what is ahead, and what was seen last and not passed yet.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from vod_migrate.cloud.list_page import objects_in
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.listing import check_order, cursor_after, list_pages, read_page, sortable
from vod_migrate.discover.packing import packed
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.discover.read_ahead import read_ahead
from vod_migrate.discover.streams import folder_of, folders_above, is_playlist
from vod_migrate.results.listed_ranges import BLOCK_RANGES
from vod_migrate.results.scan import ListedRange

if TYPE_CHECKING:
    from vod_migrate.cloud.oss import BucketClient

Judge = Callable[[Iterator[ListedPage], set[str]], Iterator[ListedPage]]
"""Says which objects of successive pages are parts of a stream. The set has the folders that the pages show only in part; it may grow."""

_LAST = "\U0010ffff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchanged:
    """Ranges, one after the other, that are as they were."""

    ranges: tuple[ListedRange, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A range as OSS answered for it. known: None for what lies behind the last one; page: the answer, unread; same: its bytes are."""

    start: str
    known: ListedRange | None
    same: bool = False
    page: Any = None
    fetched: float = 0.0


class Rescan:
    """One listing of a prefix."""

    def __init__(
        self,
        bucket: BucketClient,
        prefix: str,
        *,
        start: str,
        known: Callable[[str], Sequence[ListedRange]],
        at_once: int,
        judge: Judge,
        doubt: Callable[[str], None],
        sleep: Callable[[float], None],
        most: int = PAGE_KEYS,
    ) -> None:
        """Start: the key to begin after, '' for the beginning; known: the next ranges after a key; at_once: requests; most: keys in a page.

        doubt: is told of a folder whose objects this listing has passed and that may be decided about otherwise by now; sleep: waits between
        tries.
        """
        self._bucket, self._prefix, self._start = bucket, prefix, start
        self._known, self._at_once = known, at_once
        self._judge, self._doubt, self._sleep = judge, doubt, sleep
        self._most = most
        self._touched: set[str] = set()
        self._doubted: set[str] = set()

    def steps(self) -> Iterator[ListedPage | Unchanged]:
        """What is unchanged, and pages of what is not, in the order of the keys."""
        first = self._known(self._start)
        if not first:
            edges = folders_above(self._start) if self._start else set()
            yield from self._judge(read_ahead(self._pages_after(self._start, elements=False)), edges)
            return
        pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="listing")
        try:
            yield from self._steps(_Stream(self._answers(pool, first)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _steps(self, answers: _Stream) -> Iterator[ListedPage | Unchanged]:
        passed: list[_Asked] = []
        while (one := answers.take()) is not None:
            if self._is_unchanged(one):
                passed.append(one)
                if len(passed) == BLOCK_RANGES:
                    yield _unchanged(passed)
                    passed = []
                continue
            pages = self._read(one)
            begun = next(pages, None)
            self._touch(one, begun)
            kept = next((place for place, seen in enumerate(passed) if self._reaches(seen)), len(passed))
            if kept:
                yield _unchanged(passed[:kept])
            again, passed = passed[kept:], []
            yield from self._stretch(again, one, chain([] if begun is None else [begun], pages), answers)

    def _stretch(
        self, again: Sequence[_Asked], one: _Asked, pages: Iterator[ListedPage], answers: _Stream
    ) -> Iterator[ListedPage]:
        """Pages of what must be read, up to the next range that must not."""
        start = again[0].start if again else one.start
        edges = folders_above(start) if start else set()
        self._look_behind(start)

        def parts() -> Iterator[ListedPage]:
            for seen in again:
                yield from self._read(seen)
            yield from pages
            last = one
            while (following := answers.peek()) is not None and not self._is_unchanged(following):
                answers.take()
                for page in self._read(following):
                    self._touch(following, page)
                    self._look_behind(start)
                    yield page
                last = following
            if last.known is not None:
                edges.update(folders_above(last.known.until))

        yield from self._judge(packed(parts(), most=self._most), edges)

    def _look_behind(self, start: str) -> None:
        """What this listing has passed below a touched folder is for the next one."""
        for folder in (self._touched & folders_above(start)) - self._doubted if start else ():
            self._doubt(folder)
            self._doubted.add(folder)

    def _is_unchanged(self, one: _Asked) -> bool:
        return (
            one.same
            and one.known is not None
            and one.known.settled
            and self._touched.isdisjoint(folders_above(one.start))
        )

    def _touch(self, one: _Asked, page: ListedPage | None) -> None:
        """Notes folders in which a playlist may have come, gone, or changed."""
        self._touched = {folder for folder in self._touched if one.start.startswith(folder)}
        if one.same:
            return
        if one.known is not None:
            self._touched |= set(one.known.folders)
        if page is not None:
            self._touched |= {folder_of(found.key) for found in page.objects if is_playlist(found.key)}

    def _reaches(self, seen: _Asked) -> bool:
        """Whether a range has objects below a touched folder."""
        until = "" if seen.known is None else seen.known.until
        return any(folder <= until and seen.start < folder + _LAST for folder in self._touched)

    def _read(self, one: _Asked) -> Iterator[ListedPage]:
        """The pages of a range, cut where it ends, with their elements."""
        if one.known is None:
            yield from self._pages_after(one.start, elements=True)
            return
        until, unread, asked = one.known.until, [] if one.page is None else [one.page], one.fetched

        def read() -> Any:
            nonlocal asked
            if unread:
                return self._bucket.read(unread.pop())
            asked = time.monotonic()
            return self._bucket.list_page(self._prefix, most=self._most, after=one.start)

        told = patiently(read, sleep=self._sleep, tries=TRIES)
        page = replace(read_page(told, self._bucket.name, self._prefix, elements=True), fetched=asked)
        last = check_order(page, self._prefix, one.start or None)
        if page.cursor is None and page.objects and last != until:
            # As at the end of any listing, OSS is asked once more: what it leaves out by mistake would be gone.
            page = replace(page, cursor=cursor_after(last))
        more = list_pages(self._bucket, self._prefix, cursor=page.cursor, after=last, sleep=self._sleep, elements=True)
        end = sortable(until)
        for found in chain([page], more):
            fits = sum(1 for listed in found.objects if sortable(listed.key) <= end)
            ended = found.cursor is None or fits < len(found.objects) or (fits and found.objects[-1].key == until)
            yield replace(
                found,
                objects=found.objects[:fits],
                elements=found.elements[:fits],
                cursor=cursor_after(until),
                until=until if ended else None,
            )
            if ended:
                return

    def _pages_after(self, start: str, *, elements: bool) -> Iterator[ListedPage]:
        return list_pages(
            self._bucket,
            self._prefix,
            cursor=cursor_after(start) if start else None,
            after=start or None,
            sleep=self._sleep,
            elements=elements,
        )

    def _answers(self, pool: ThreadPoolExecutor, first: Sequence[ListedRange]) -> Iterator[_Asked]:
        waiting: deque[Future[_Asked]] = deque()
        start = self._start
        for known in self._ranges(first):
            waiting.append(pool.submit(self._ask, start, known))
            start = known.until
            if len(waiting) > 2 * self._at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        yield _Asked(start=start, known=None)

    def _ranges(self, block: Sequence[ListedRange]) -> Iterator[ListedRange]:
        """All of them; a small one is read together with the next, so that pages do not become ever smaller."""
        before: ListedRange | None = None
        while block:
            for one in block:
                if before is not None and _are_small(before, one, self._most):
                    before = replace(
                        one,
                        listed=before.listed + one.listed,
                        digest=b"",
                        settled=False,
                        told={"folders": [*before.folders, *one.folders]},
                    )
                    continue
                if before is not None:
                    yield before
                before = one
            block = self._known(block[-1].until)
        if before is not None:
            yield before

    def _ask(self, start: str, known: ListedRange) -> _Asked:
        asked = time.monotonic()
        page = patiently(
            lambda: self._bucket.list_unread(self._prefix, most=min(known.listed, self._most), after=start),
            sleep=self._sleep,
            tries=TRIES,
        )
        same = digest_of(objects_in(page.body)) == known.digest
        # Memory holds no page that nobody will read.
        kept = None if same and known.settled else page
        return _Asked(start=start, known=known, same=same, page=kept, fetched=asked)


class _Stream:
    """Answers in order, with a look at the next."""

    def __init__(self, answers: Iterator[_Asked]) -> None:
        self._answers = answers
        self._next: _Asked | None = None

    def peek(self) -> _Asked | None:
        if self._next is None:
            self._next = next(self._answers, None)
        return self._next

    def take(self) -> _Asked | None:
        one, self._next = self.peek(), None
        return one


def _unchanged(passed: Sequence[_Asked]) -> Unchanged:
    return Unchanged(ranges=tuple(one.known for one in passed if one.known is not None))


def _are_small(one: ListedRange, other: ListedRange, most: int) -> bool:
    return one.listed + other.listed <= most and min(one.listed, other.listed) < most // 2
