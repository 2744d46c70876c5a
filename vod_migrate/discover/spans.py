"""A listing in spans, from one key to another: several are asked for at once, and their pages come in the order of the keys.

An earlier listing may say where spans end. Where it does not, a span that turns out long is cut at a key that is guessed to lie some pages
ahead, and what is behind that is a span of its own. A guess decides how many requests a listing needs, never what it finds: each span begins
where the one before it ends, so no key lies in two or in none, whatever the bucket does meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from os.path import commonprefix
from queue import SimpleQueue

from vod_migrate.discover.page import LONGEST_KEY
from vod_migrate.discover.prefix_pages import sortable
from vod_migrate.discover.selection import storable
from vod_migrate.discover.unread_pages import UnreadPage
from vod_migrate.results.scan import ListedRange

MOST_HELD_BYTES = 48 << 20
"""Of pages that wait for those before them, besides the ones that are under way: about 200, where keys are of usual length."""
SPAN_PAGES = 32
"""Aimed at. The last page of a span is wasted in part, and pages of half a span wait for each request that is under way."""
_LOOKED_BACK = 33
_FIRST_GUESS = 8
"""Pages after which a listing is worth cutting, and says something about its keys."""
_SPARE = 0.05
"""How many requests more than pages are needed: this part of them, and twice as many as are sent at once. Each span that is ahead may take one;
once they are used up, no span is cut until there are some again."""

_SURROGATES, _AFTER_SURROGATES = 0xD800, 0xE000
_MOST_CODE = 0x10FFFF


@dataclass(kw_only=True, eq=False, slots=True)
class Span:
    """What lies behind one key and up to another.

    until: None for the end of the prefix; known: what an earlier listing found here; pages: that came and were not taken; position: how far it
    was asked for; since: how many pages since its end was fixed; guessed: where it begins; far: nothing is known about how far away its end is.
    """

    start: str
    until: str | None
    walker: Iterator[UnreadPage]
    known: ListedRange | None = None
    pages: deque[UnreadPage] = field(default_factory=deque)
    position: str = ""
    since: int = 0
    guessed: bool = False
    far: bool = False
    asked: bool = False
    answered: bool = False
    final: bool = False
    dropped: bool = False
    same: bool = False
    ended: bool = False
    error: BaseException | None = None


class Spans:
    """The spans of one listing. For one thread at a time; the requests have threads of their own."""

    def __init__(
        self,
        walk: Callable[[str, ListedRange | None], Iterator[UnreadPage]],
        ranges: Iterator[ListedRange],
        *,
        start: str,
        at_once: int,
        most: int,
    ) -> None:
        """Walk: the pages behind a key, and of a range that is known there; ranges: what is known, in order; at_once: requests; most: keys in a page."""
        self._walk, self._ranges, self._at_once, self._most = walk, ranges, at_once, most
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="listing")
        self._arrived: SimpleQueue[tuple[Span, Future[UnreadPage]]] = SimpleQueue()
        self._spans: deque[Span] = deque()
        self._begun = False
        self._busy = self._held = 0
        self._page_bytes = 1
        self._ends: deque[str] = deque([start], maxlen=_LOOKED_BACK)
        self._spare = float(at_once)
        self._start = start
        self._next = next(ranges, None)
        if self._next is None:
            self._add(start, None)

    def close(self) -> None:
        """Nothing more is asked for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def peek(self) -> Span | None:
        """The next span, once it was answered for; None at the end."""
        place = int(self._begun)
        while True:
            self._pump()
            if len(self._spans) <= place:
                return None
            one = self._spans[place]
            if one.answered or one.error is not None:
                return one
            self._settle(*self._arrived.get())

    def take(self) -> Span | None:
        """The same, which is now the one whose pages come first. The one before it has been read, or need not be."""
        one = self.peek()
        if self._begun:
            self._spans.popleft()
        self._begun = one is not None
        return one

    def pages(self, one: Span) -> Iterator[UnreadPage]:
        """The pages of the span that was taken, as they come; of the last one, keys may lie behind its end."""
        while True:
            self._pump()
            if one.pages:
                page = one.pages.popleft()
                self._held -= page.size
                yield page
            elif one.error is not None:
                raise one.error
            elif one.ended:
                return
            else:
                self._settle(*self._arrived.get())

    def passed(self, key: str, keys: int | None) -> None:
        """A page ended with this key. keys: how many it had within its span; None for one of a known range."""
        self._ends.append(key)
        if keys is not None:
            self._spare += _SPARE - 1 + keys / self._most

    def _pump(self) -> None:
        while not self._arrived.empty():
            self._settle(*self._arrived.get())
        while self._next is not None and len(self._spans) <= 2 * self._at_once:
            known, self._next = self._next, next(self._ranges, None)
            # What has changed in the last range is read to the end of the prefix.
            self._add(self._start, known)
            self._start = known.until
        behind, most, before = self._held, self._most_spans(), 0
        for one in self._spans:
            if self._busy == self._at_once:
                return
            # Spans that are begun together must not end together: the last page of one is needed when the first of the next has been read.
            room = MOST_HELD_BYTES * max(0, 1 - before / most) ** 2 if one.guessed else MOST_HELD_BYTES
            needed = before == 0 and not one.pages
            if not (one.asked or one.ended) and (needed or (behind < room and self._held < MOST_HELD_BYTES)):
                self._ask(one)
            behind -= sum(page.size for page in one.pages)
            before += not one.ended
        while self._busy < self._at_once and self._held < MOST_HELD_BYTES and (rest := self._cut(most)) is not None:
            self._ask(rest)

    def _most_spans(self) -> int:
        """So many wait at a time for the first one: from the next, which is nearly whole, to the last, which is begun."""
        return max(1, min(self._at_once, MOST_HELD_BYTES // (SPAN_PAGES * self._page_bytes)))

    def _add(self, start: str, known: ListedRange | None) -> None:
        until = None if known is None or self._next is None else known.until
        walker = self._walk(start, known)
        self._spans.append(
            Span(start=start, until=until, walker=walker, known=known, position=start, far=until is None)
        )

    def _ask(self, one: Span) -> None:
        one.asked = True
        self._busy += 1
        future = self._pool.submit(next, one.walker)
        future.add_done_callback(lambda done: self._arrived.put((one, done)))

    def _settle(self, one: Span, answer: Future[UnreadPage]) -> None:
        one.asked = False
        self._busy -= 1
        if one.dropped:
            return
        try:
            page = answer.result()
        except BaseException as error:  # noqa: BLE001 - it is raised where its turn comes
            one.error, one.ended, one.final = error, True, True
            return
        one.answered, one.same, one.final = True, page.same, page.final
        one.position = page.last
        one.since += 1
        if page.same and one.until is None:
            # The last range is as it was; what lies behind it was never known.
            one.until = page.last
            self._add(page.last, None)
        one.ended = one.final or (one.until is not None and sortable(page.last) >= sortable(one.until))
        if page.answer is not None:
            one.pages.append(page)
            self._held += page.size
            self._page_bytes = max(self._page_bytes, page.size)

    def _cut(self, most: int) -> Span | None:
        """Cuts the first span that is long, and returns the rest of it. most: of such spans."""
        guessed = [place for place, one in enumerate(self._spans) if one.guessed]
        if len(self._ends) <= _FIRST_GUESS or 2 * self._spare < len(guessed):
            return None
        for place, one in enumerate(self._spans):
            long = one.since > 2 * SPAN_PAGES
            if one.ended or one.position == one.start or not (one.far or long):
                continue
            full = sum(not self._spans[each].ended for each in guessed) >= most - 1
            if full and not (long and guessed and guessed[-1] > place):
                return None
            one.far, one.since = False, 0
            # No further ahead than it looks back.
            ahead = key_ahead(one.position, tuple(self._ends), min(SPAN_PAGES, len(self._ends) - 1))
            if ahead is None or (one.until is not None and sortable(ahead) >= sortable(one.until)):
                continue
            if full:
                # The guesses before it went too far.
                self._join(guessed[-1])
            rest = Span(
                start=ahead, until=one.until, walker=self._walk(ahead, None), position=ahead, guessed=True, far=True
            )
            one.until = ahead
            self._spans.insert(place + 1, rest)
            return rest
        return None

    def _join(self, place: int) -> None:
        """Gives a guess up: what was cut off belongs to the span before it again."""
        before, rest = self._spans[place - 1], self._spans[place]
        del self._spans[place]
        before.until, before.far = rest.until, True
        before.ended = before.final
        rest.dropped = True
        self._held -= sum(page.size for page in rest.pages)
        self._spare -= len(rest.pages)


def key_ahead(key: str, ends: Sequence[str], pages: int) -> str | None:
    """A key about so many pages behind `key`, no matter whether it exists; None where nothing can be said.

    ends: the last keys of successive pages. The first character at which they went on at least twice, be it in a number, in a name or in a
    folder's, goes on from `key` as fast as it did there.
    """
    steps = [(len(commonprefix(pair)), *pair) for pair in pairwise(ends)]  # noqa: RUF071 - these are no paths
    if len(steps) < 2:  # noqa: PLR2004 - one step may be the last of its kind
        return None
    place = min(sorted(step[0] for step in steps)[1], len(key) - 1)
    passed = sum(
        ord(after[place]) - ord(before[place])
        for shared, before, after in steps
        if shared == place and len(before) > place
    )
    code = ord(key[place]) + max(1, pages * passed // len(steps))
    if _SURROGATES <= code < _AFTER_SURROGATES:
        code = _AFTER_SURROGATES
    if code > _MOST_CODE:
        return None
    guess = key[:place] + chr(code)
    return guess if storable(guess) and len(guess.encode()) <= LONGEST_KEY else None
