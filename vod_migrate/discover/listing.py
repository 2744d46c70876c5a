"""Lists a prefix, several requests at once, by what an earlier listing found, and by guesses where there was none.

Each range that is known is asked for with as many keys as it had, from where the range before it ended. Where OSS sends the same bytes, nothing
was added, removed or changed between the two keys, and nobody reads them. Where it does not, or something in the range waits, the range is read
to its last key, and packed anew together with its neighbours of which that is true. No key lies in two ranges or in none, because each begins
where the one before it ends, whatever the bucket does meanwhile.

A playlist decides about objects of its folder and those below, so where a range with playlists changed, what lies there is read again, too:
what is ahead, and what was seen last and not passed yet.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from vod_migrate.cloud.list_page import apart
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover.packing import packed
from vod_migrate.discover.page import PAGE_KEYS, ListedPage, digest_of
from vod_migrate.discover.prefix_pages import check_order, cursor_after, list_pages, read_ahead, read_page, sortable
from vod_migrate.discover.spans import Span, Spans
from vod_migrate.discover.stream_text import folder_of
from vod_migrate.discover.streams import folders_above, is_playlist
from vod_migrate.discover.unread_pages import unread_pages
from vod_migrate.errors import SourceUnavailable
from vod_migrate.results.listed_ranges import BLOCK_RANGES
from vod_migrate.results.scan import ListedRange

log = logging.getLogger(__name__)

Judge = Callable[[Iterator[ListedPage], set[str]], Iterator[ListedPage]]
"""Says which objects of successive pages are parts of a stream. The set has the folders that the pages show only in part; it may grow."""

_LAST = "\U0010ffff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchanged:
    """Ranges, one after the other, that are as they were."""

    ranges: tuple[ListedRange, ...]


@dataclass(kw_only=True)
class Listing:
    """One listing of a prefix.

    start: the key to begin after, '' for the beginning; known: the next ranges after a key; at_once: requests; most: keys in a page. doubt: is
    told of a folder whose objects this listing has passed and that may be decided about otherwise by now; sleep: waits between tries.
    """

    bucket: BucketClient
    prefix: str
    start: str
    known: Callable[[str], Sequence[ListedRange]]
    at_once: int
    judge: Judge
    doubt: Callable[[str], None]
    sleep: Callable[[float], None]
    most: int = PAGE_KEYS
    _touched: set[str] = field(default_factory=set, init=False)
    _doubted: set[str] = field(default_factory=set, init=False)

    def steps(self) -> Iterator[ListedPage | Unchanged]:
        """What is unchanged, and pages of what is not, in the order of the keys."""
        walk = partial(unread_pages, self.bucket, self.prefix, most=self.most, sleep=self.sleep)
        spans = Spans(walk, self._ranges(), start=self.start, at_once=self.at_once, most=self.most)
        try:
            yield from self._steps(spans)
        finally:
            spans.close()

    def _steps(self, spans: Spans) -> Iterator[ListedPage | Unchanged]:
        passed: list[Span] = []
        while (one := spans.take()) is not None:
            if self._is_unchanged(one):
                passed.append(one)
                if len(passed) == BLOCK_RANGES:
                    yield _unchanged(passed)
                    passed = []
                continue
            pages = self._read(one, spans)
            begun = next(pages, None)
            self._touch(one, begun)
            kept = next((place for place, seen in enumerate(passed) if self._reaches(seen)), len(passed))
            if kept:
                yield _unchanged(passed[:kept])
            again, passed = passed[kept:], []
            yield from self._changed(again, one, chain([] if begun is None else [begun], pages), spans)

    def _changed(
        self, again: Sequence[Span], one: Span, pages: Iterator[ListedPage], spans: Spans
    ) -> Iterator[ListedPage]:
        """Pages of what must be read, up to the next range that must not."""
        start = again[0].start if again else one.start
        edges = folders_above(start) if start else set()
        self._look_behind(start)

        def parts() -> Iterator[ListedPage]:
            for seen in again:
                yield from self._read_anew(seen.start, seen.until)
            yield from pages
            last = one
            while (following := spans.peek()) is not None and not self._is_unchanged(following):
                spans.take()
                for page in self._read(following, spans):
                    self._touch(following, page)
                    self._look_behind(start)
                    yield page
                last = following
            if last.until is not None:
                edges.update(folders_above(last.until))

        yield from self.judge(
            read_ahead(packed(parts(), most=self.most, share=bool(again) or one.known is not None)), edges
        )

    def _look_behind(self, start: str) -> None:
        """What this listing has passed below a touched folder is for the next one."""
        for folder in (self._touched & folders_above(start)) - self._doubted if start else ():
            self.doubt(folder)
            self._doubted.add(folder)

    def _is_unchanged(self, one: Span) -> bool:
        return (
            one.same
            and one.known is not None
            and one.known.settled
            and self._touched.isdisjoint(folders_above(one.start))
        )

    def _touch(self, one: Span, page: ListedPage | None) -> None:
        """Notes folders in which a playlist may have come, gone, or changed."""
        self._touched = {folder for folder in self._touched if one.start.startswith(folder)}
        if one.same:
            return
        if one.known is not None:
            self._touched |= set(one.known.folders)
        if page is not None:
            self._touched |= {folder_of(found.key) for found in page.objects if is_playlist(found.key)}

    def _reaches(self, seen: Span) -> bool:
        """Whether a range has objects below a touched folder."""
        until = "" if seen.known is None else seen.known.until
        return any(folder <= until and seen.start < folder + _LAST for folder in self._touched)

    def _read(self, one: Span, spans: Spans) -> Iterator[ListedPage]:
        """The pages of a span, cut where it ends, with their elements."""
        if one.same and not one.pages:
            yield from self._read_anew(one.start, one.until)
            return
        last = one.start
        for unread in spans.pages(one):
            begins, last = last, unread.last
            ended = one.ended and not one.pages
            try:
                page = read_page(self.bucket.read(unread.answer), self.bucket.name, self.prefix, elements=True)
            except SourceUnavailable as error:
                log.info("a page of %r is asked for again: %s", self.prefix, error)
                yield from self._read_anew(begins, one.until if ended else last)
                continue
            check_order(page, self.prefix, begins or None)
            page = _within(replace(page, fetched=unread.fetched), one.until, ended=ended)
            spans.passed(last, len(page.objects) if one.known is None else None)
            yield page

    def _read_anew(self, start: str, until: str | None) -> Iterator[ListedPage]:
        """What lies between two keys now, one page after the other."""
        for page in list_pages(self.bucket, self.prefix, after=start, sleep=self.sleep, elements=True):
            reached = until is not None and bool(page.objects) and sortable(page.objects[-1].key) >= sortable(until)
            ended = reached or page.cursor is None
            yield _within(page, until, ended=ended)
            if ended:
                return

    def _ranges(self) -> Iterator[ListedRange]:
        """All of them; a small one is read together with the next, so that pages do not become ever smaller."""
        before: ListedRange | None = None
        block = self.known(self.start)
        while block:
            for one in block:
                if before is not None and _are_small(before, one, self.most):
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
            block = self.known(block[-1].until)
        if before is not None:
            yield before


def _within(page: ListedPage, until: str | None, *, ended: bool) -> ListedPage:
    """What of a page lies in a span. ended: it is the last of the span."""
    if until is None:
        return replace(page, cursor=None if ended else cursor_after(""))
    page = replace(page, cursor=cursor_after(until), until=until if ended else None)
    fits = bisect_right(page.objects, sortable(until), key=lambda found: sortable(found.key))
    if fits == len(page.objects):
        return page
    elements = b"".join(apart(page.elements)[:fits])
    return replace(page, objects=page.objects[:fits], elements=elements, digest=digest_of(elements))


def _unchanged(passed: Sequence[Span]) -> Unchanged:
    return Unchanged(ranges=tuple(one.known for one in passed if one.known is not None))


def _are_small(one: ListedRange, other: ListedRange, most: int) -> bool:
    return one.listed + other.listed <= most and min(one.listed, other.listed) < most // 2
