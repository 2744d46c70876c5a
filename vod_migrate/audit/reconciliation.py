"""Holds three books against each other for one migration: what OSS lists, what the results say, what VOD has.

Page by page: memory does not grow with the number of objects. VOD is asked about twenty registered objects with one call of
BatchGetMediaInfos; what it has besides is found by a walk through its library before.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vod_migrate.audit.comparison import Question, answered, listed, not_listed, without_file
from vod_migrate.audit.confidence import CONFIDENCE, most_of_all
from vod_migrate.audit.drift import Drift, Judgment
from vod_migrate.audit.library import SEARCH_MEDIA, LibraryWalk
from vod_migrate.audit.media_states import BATCH_GET_MEDIA_INFOS, MOST_IDS, MediaAnswer, MediaStates
from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.retry import TRIES, patiently
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.selection import Selection, sample_of, storable
from vod_migrate.discover.source import RunSource
from vod_migrate.errors import Interrupted, RegisterError
from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.results.books import Shelf, Stretch
from vod_migrate.results.run import Run
from vod_migrate.results.scan import SAMPLES
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

LIST_OBJECTS = "ListObjects"
RECENT_SECONDS = 600.0
"""How long after its registration a media may be missing in VOD's answers without counting as deleted: VOD does not say how soon it shows one."""

_THREADS = 8
_ASKED_TOGETHER = MOST_IDS * 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """How much VOD is asked. millionths, seed: of a random part; library: whether its library is walked for media that nobody knows."""

    millionths: int = ALL_PARTS
    seed: int = 0
    library: bool = True

    @property
    def whole(self) -> bool:
        """Whether VOD is asked about every registered object."""
        return self.millionths >= ALL_PARTS


@dataclass(kw_only=True)
class Balance:
    """What was found. listed, selected: objects; registered: those about which VOD could be asked, and asked: those about which it was.

    counts: by kind; samples: up to five of each kind that differs; calls: by API; trouble: why VOD could not be asked to the end.
    """

    listed: int = 0
    selected: int = 0
    registered: int = 0
    asked: int = 0
    asked_and_differ: int = 0
    counts: Counter[Drift] = field(default_factory=Counter)
    samples: dict[Drift, list[Judgment]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    trouble: list[RegisterError] = field(default_factory=list)

    @property
    def differing(self) -> int:
        """In how many ways the books differ: objects, and further media of a file."""
        return sum(count for drift, count in self.counts.items() if drift.differs)

    @property
    def most_differing(self) -> int:
        """Of how many registered objects VOD may say something else, at most, by what it said about those it was asked about."""
        return most_of_all(self.asked_and_differ, self.asked, self.registered) if self.asked else self.registered

    def add(self, judgment: Judgment) -> None:
        """One more."""
        drift = judgment.drift
        self.counts[drift] += 1
        if drift.differs and self.counts[drift] <= SAMPLES:
            self.samples.setdefault(drift, []).append(judgment)

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "listed": self.listed,
            "selected": self.selected,
            "differing": self.differing,
            "counts": {drift.value: self.counts[drift] for drift in Drift if self.counts[drift]},
            "samples": {
                drift.value: [
                    {"key": sample_of(one.key), "media_id": one.media_id, "detail": one.detail} for one in found
                ]
                for drift, found in self.samples.items()
            },
            "vod": {
                "registered": self.registered,
                "asked": self.asked,
                "differ": self.asked_and_differ,
                "confidence": CONFIDENCE,
                "differ_at_most": self.most_differing,
            },
            "calls": dict(self.calls),
            "trouble": [str(error) for error in self.trouble],
        }


@dataclass(kw_only=True)
class Reconciliation:
    """One comparison. balance: what was found so far.

    run: what a run of the migration would be; it is not stored. prefixes: what it lists; stop: ends every waiting.
    """

    store: Store
    connection: Connection
    run: Run
    prefixes: Sequence[str]
    selection: Selection
    extent: Extent
    stop: threading.Event
    balance: Balance = field(default_factory=Balance)

    def __post_init__(self) -> None:
        self._states = MediaStates(self.connection, self.store, stop=self.stop)
        self._asks = True

    def judgments(self) -> Iterator[Judgment]:
        """Every object as it is found to be, agreeing or not, each page in its order; those about which VOD is asked come later.

        Raises:
            SourceError: the source cannot be listed. Interrupted. StoreUnreachable. Where VOD cannot be asked, that is in the balance.
        """
        shelf = self.store.shelf(self.run.account, self.run.migration, self.run.bucket)
        walked = self._walk(shelf) if self.extent.library else None
        waiting: list[Question] = []
        with ThreadPoolExecutor(_THREADS) as threads:
            for one in self._books(shelf, walked):
                if isinstance(one, Judgment):
                    yield self._counted(one)
                    continue
                self.balance.registered += 1
                if not self._asks or not one.fact.drawn:
                    yield self._counted(self._unasked(one))
                    continue
                waiting.append(one)
                if len(waiting) == _ASKED_TOGETHER:
                    yield from self._ask(threads, waiting)
                    waiting = []
            yield from self._ask(threads, waiting)

    def _walk(self, shelf: Shelf) -> dt.datetime | None:
        self._try_listing()
        walk = LibraryWalk(self.connection, self.store, self._states, bucket=self.run.bucket, stop=self.stop)
        try:
            return walk.run(shelf)
        except RegisterError as error:
            self.balance.trouble.append(error)
            return None
        finally:
            self.balance.calls += Counter({SEARCH_MEDIA: walk.pages, BATCH_GET_MEDIA_INFOS: walk.asked})

    def _try_listing(self) -> None:
        """A walk through a large library takes long: a bucket that cannot be listed is to be known before."""
        if self.run.spec.source.listed:
            bucket = open_bucket(self.connection, self.run.bucket)
            listing = partial(bucket.list_page, self.prefixes[0], most=1)
            patiently(listing, sleep=StopClock(self.stop).sleep, tries=TRIES)
            self.balance.calls[LIST_OBJECTS] += 1

    def _books(self, shelf: Shelf, walked: dt.datetime | None) -> Iterator[Judgment | Question]:
        source = RunSource(self.connection, self.run)
        try:
            yield from self._judged(source, shelf, walked)
        finally:
            if self.run.spec.source.listed:
                self.balance.calls[LIST_OBJECTS] += source.listing_requests

    def _judged(self, source: RunSource, shelf: Shelf, walked: dt.datetime | None) -> Iterator[Judgment | Question]:
        sorted_ = self.run.spec.source.listed
        for prefix in self.prefixes:
            after = ""
            for page in source.pages(prefix, self.stop):
                if self.stop.is_set():
                    raise Interrupted("the comparison was stopped; run the command again", code="interrupted")
                keys = [found.key for found in page.objects if storable(found.key)]
                yield from self._page(shelf, walked, page, keys)
                if not sorted_:
                    # A manifest or inventory says what is to be registered; only a listing says what is gone.
                    continue
                asked = time.monotonic() if page.fetched is None else page.fetched
                until = None if page.cursor is None else keys[-1] if keys else after
                stretch = Stretch(
                    prefix=prefix, after=after, until=until, listed=keys, age=max(0.0, time.monotonic() - asked)
                )
                yield from map(not_listed, self.store.facts_not_listed(shelf, stretch))
                if walked is not None:
                    yield from map(without_file, self.store.media_not_listed(shelf, stretch, since=walked))
                after = keys[-1] if keys else after

    def _page(
        self, shelf: Shelf, walked: dt.datetime | None, page: ListedPage, keys: Sequence[str]
    ) -> Iterator[Judgment | Question]:
        # The library first: what a run records in between has a fact then.
        media = {} if walked is None else self.store.media_of_keys(shelf, keys, since=walked)
        facts = self.store.facts_of_keys(
            shelf, keys, recent=RECENT_SECONDS, millionths=self.extent.millionths, seed=self.extent.seed
        )
        queued = self.store.queued_among(shelf, (key for key in keys if key not in facts))
        self.balance.listed += len(page.objects)
        for found in page.objects:
            reason = self.selection.reason(found, part=page.parts.get(found.key))
            self.balance.selected += reason is None
            fact = facts.get(found.key)
            unknown = [
                one
                for one in media.get(found.key, ())
                if one.holder != f"{found.bucket}/{found.key}" and (fact is None or fact.media_id != one.media_id)
            ]
            yield from listed(found, reason, fact, unknown, queued=found.key in queued)

    def _ask(self, threads: ThreadPoolExecutor, questions: Sequence[Question]) -> Iterator[Judgment]:
        parts = [questions[start : start + MOST_IDS] for start in range(0, len(questions), MOST_IDS)]
        for part, answer in zip(parts, threads.map(self._answer, parts), strict=True):
            if isinstance(answer, RegisterError):
                self._give_up(answer)
                yield from (self._counted(self._unasked(one)) for one in part)
                continue
            self.balance.calls[BATCH_GET_MEDIA_INFOS] += 1
            for one in part:
                self.balance.asked += 1
                by_vod = list(answered(one, answer, processed=self.run.spec.register_.processes))
                # What OSS and the results say is known of all, and says nothing about a part.
                self.balance.asked_and_differ += by_vod[0].drift.differs and by_vod[0] is not one.unasked
                yield from map(self._counted, by_vod)

    def _answer(self, part: Sequence[Question]) -> MediaAnswer | RegisterError:
        try:
            return self._states.look([one.media_id for one in part])
        except RegisterError as error:
            return error

    def _give_up(self, error: RegisterError) -> None:
        self._asks = False
        if str(error) not in map(str, self.balance.trouble):
            self.balance.trouble.append(error)

    def _unasked(self, question: Question) -> Judgment:
        if question.unasked.drift is not Drift.SAME:
            return question.unasked
        drift = Drift.NOT_SAMPLED if self._asks else Drift.NOT_ASKED
        return Judgment(drift=drift, key=question.object.key, media_id=question.media_id)

    def _counted(self, judgment: Judgment) -> Judgment:
        self.balance.add(judgment)
        return judgment
