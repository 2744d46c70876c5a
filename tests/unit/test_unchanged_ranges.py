"""Listing by what an earlier listing left: no key is lost or told twice, whatever the bucket does between and during listings."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vod_migrate.cloud.list_page import objects_in, read_page
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover import spans
from vod_migrate.discover.listing import Listing, Unchanged
from vod_migrate.discover.packing import packed
from vod_migrate.discover.page import ListedPage, digest_of
from vod_migrate.discover.selection import Selection
from vod_migrate.media import MediaObject, RestoredCopy
from vod_migrate.migration.source import Select
from vod_migrate.results.scan import ListedRange

NAMES = [f"{folder}{number:02}.mp4" for folder in ("", "a b+/", "a/", "节目/", "😀/") for number in range(12)]
KEYS = sorted(NAMES, key=str.encode)
ETAGS = st.sampled_from("xyz")
MOST = 4


class Bucket:
    """Objects by key, and pages of them as OSS writes them.

    changes: what happens to the bucket before which of the requests that follow; lies: which of them are answered with half of a page and the
    word that it is the last.
    """

    name = "bbb"

    def __init__(self, objects: dict[str, str]) -> None:
        self.objects = dict(objects)
        self.requests = 0
        self.changes: dict[int, list[tuple[str, str | None]]] = {}
        self.lies: set[int] = set()
        self.ever: dict[str, set[str | None]] = {}

    def change(self, key: str, etag: str | None) -> None:
        self.ever.setdefault(key, {self.objects.get(key)}).add(etag)
        if etag is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = etag

    def list_unread(self, prefix: str, *, most: int, after: str = "", token: str = "", **_: Any) -> Any:
        for key, etag in self.changes.pop(self.requests, ()):
            self.change(key, etag)
        self.requests += 1
        keys = sorted((key for key in self.objects if key.startswith(prefix)), key=str.encode)
        start = bisect.bisect_right([key.encode() for key in keys], (token or after).encode())
        found = keys[start : start + min(most, MOST)]
        goes_on = len(keys) > start + len(found)
        if self.requests - 1 in self.lies:
            found, goes_on = found[: (len(found) + 1) // 2], False
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>{self.objects[key]}</ETag>"
            "<Size>5</Size><StorageClass>Standard</StorageClass></Contents>"
            for key in found
        )
        token = f"<NextContinuationToken>{found[-1]}</NextContinuationToken>" if goes_on else ""
        body = (
            f"<ListBucketResult><Prefix>{prefix}</Prefix><IsTruncated>{str(goes_on).lower()}</IsTruncated>{token}{contents}"
            "</ListBucketResult>"
        )
        return SimpleNamespace(body=body.encode())

    def read(self, page: Any) -> Any:
        return read_page(page)

    def list_page(self, prefix: str, **where: Any) -> Any:
        return self.read(self.list_unread(prefix, **where))


class Memory:
    """What listings left behind: ranges, and what each of them held; where the one under way stands."""

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[ListedRange, dict[str, str]]] = {}
        self.seen: dict[str, str] = {}
        self.position = ""
        self.ended = False
        self.merged = 0

    def known(self, after: str) -> list[ListedRange]:
        later = sorted((until for until in self.ranges if until.encode() > after.encode()), key=str.encode)
        return [self.ranges[until][0] for until in later[:3]]

    def take(self, step: ListedPage | Unchanged) -> None:
        if isinstance(step, Unchanged):
            for one in step.ranges:
                self.seen |= self._new(self.ranges[one.until][1], one.until)
            return
        held = {found.key: str(found.etag) for found in step.objects}
        until = step.until or (step.objects[-1].key if step.objects else "")
        end = until if step.cursor is not None else "\U0010ffff"
        for key in [key for key in self.ranges if self.position.encode() < key.encode() <= end.encode()]:
            del self.ranges[key]
        if held and step.digest is not None:
            last = step.objects[-1].key
            told: dict[str, Any] = {"counts": {}}
            known = ListedRange(until=last, listed=len(held), digest=step.digest, settled=True, told=told)
            self.ranges[last] = known, held
        self.seen |= self._new(held, max(until, self.position, key=str.encode))
        self.merged += len(held)
        self.ended = step.cursor is None

    def _new(self, held: dict[str, str], until: str) -> dict[str, str]:
        assert all(self.position.encode() < key.encode() <= until.encode() for key in held), "a key is out of its place"
        self.position = until
        return held


@pytest.fixture(autouse=True)
def _short_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that small buckets are cut as large ones are."""
    for name, value in {"SPAN_PAGES": 1, "_FIRST_GUESS": 1, "_SPARE": 1.0}.items():
        monkeypatch.setattr(spans, name, value)


def listing(bucket: Bucket, memory: Memory, at_once: int) -> Iterator[ListedPage | Unchanged]:
    return Listing(
        bucket=cast(BucketClient, bucket),
        prefix="",
        start=memory.position,
        known=memory.known,
        at_once=at_once,
        judge=lambda pages, _: pages,
        doubt=lambda _: None,
        sleep=lambda _: None,
        most=MOST,
    ).steps()


def listed(
    bucket: Bucket, memory: Memory, kill: Callable[[int], bool] = lambda _: False, at_once: int = 4
) -> dict[str, str]:
    """Lists to the end; killed after some steps, another lister goes on where the one before it stood."""
    memory.seen, memory.position, memory.ended, memory.merged = {}, "", False, 0
    steps = itertools.count()
    while not memory.ended:
        for step in listing(bucket, memory, at_once):
            memory.take(step)
            if kill(next(steps)):
                break
    return memory.seen


CHANGES = st.lists(st.tuples(st.sampled_from(KEYS), st.none() | ETAGS), max_size=8)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    begins=st.dictionaries(st.sampled_from(KEYS), ETAGS),
    nights=st.lists(
        st.tuples(CHANGES, st.dictionaries(st.integers(0, 40), CHANGES, max_size=4)), min_size=1, max_size=4
    ),
    killed=st.sets(st.integers(0, 30), max_size=3),
    lies=st.sets(st.integers(0, 30), max_size=3),
    at_once=st.sampled_from([1, 2, 4]),
)
def test_listings_of_a_bucket_that_changes_tell_every_key_once_and_as_it_is(
    begins: dict[str, str],
    nights: list[tuple[list[tuple[str, str | None]], dict[int, list[tuple[str, str | None]]]]],
    killed: set[int],
    lies: set[int],
    at_once: int,
) -> None:
    bucket, memory = Bucket(begins), Memory()
    for between, during in nights:
        bucket.ever, bucket.requests, bucket.changes, bucket.lies = {}, 0, dict(during), lies
        for key, etag in between:
            bucket.change(key, etag)
        bucket.ever = {}
        found = listed(bucket, memory, lambda step: step in killed, at_once)
        for key in KEYS:
            # What changed meanwhile may be told as it was at any moment; all else as it is.
            assert found.get(key) in bucket.ever.get(key, {bucket.objects.get(key)}), key
    bucket.changes, bucket.lies = {}, set()
    for _ in range(4):
        # Small neighbours are joined, which takes a listing or two.
        assert listed(bucket, memory) == bucket.objects
    assert sum(known.listed for known, _ in memory.ranges.values()) == len(bucket.objects)
    assert memory.merged == 0, "what has not changed is not read again"


def element(key: str) -> str:
    return f"<Contents>{key}</Contents>"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 5))
def test_packed_pages_have_the_same_objects_and_none_is_small_beside_a_full_one(sizes: list[int], most: int) -> None:
    bucket = Bucket(dict.fromkeys(KEYS, "x"))
    (every,) = [read_page(bucket.list_unread("", most=MOST))]
    assert len(every.object_list) == MOST
    numbers = iter(range(1_000))
    pages = []
    for size in sizes:
        keys = [f"{next(numbers):04}" for _ in range(min(size, most))]
        objects = tuple(SimpleNamespace(key=key) for key in keys)
        page = ListedPage(
            objects=cast(Any, objects), cursor="t", elements="".join(map(element, keys)).encode(), digest=b""
        )
        page = replace(page, digest=digest_of(page.elements))
        pages.append(page)
    came = list(packed(pages, most=most))
    assert [found.key for page in came for found in page.objects] == [
        found.key for page in pages for found in page.objects
    ]
    for page in came:
        assert page.digest == digest_of("".join(element(found.key) for found in page.objects).encode())
    assert all(len(page.objects) <= most for page in came)
    if len(came) > 1:
        assert min(len(page.objects) for page in came) * 2 >= most


def test_a_packed_page_was_fetched_when_the_first_of_its_pages_was() -> None:
    """Spans are fetched side by side, and a page may be older than the one before it."""
    times = [9.0, 8.0, 2.0, 3.0, 7.0, 6.0]
    pages = [
        ListedPage(
            objects=cast(Any, tuple(SimpleNamespace(key=f"{number}{each}") for each in range(2 - number % 2))),
            cursor="t",
            elements=element("").encode() * (2 - number % 2),
            fetched=fetched,
        )
        for number, fetched in enumerate(times)
    ]
    assert [page.fetched for page in packed(pages, most=2)] == [9.0, 2.0, 2.0, 3.0, 3.0]


def test_the_digest_is_of_the_objects_and_not_of_the_request() -> None:
    bucket = Bucket({"a.mp4": "x", "b.mp4": "y"})
    one = bucket.list_unread("", most=2).body
    other = one.replace(b"<IsTruncated>false", b"<StartAfter>0</StartAfter><IsTruncated>true")
    assert objects_in(one) == objects_in(other) != b""
    assert objects_in(bucket.list_unread("c", most=2).body) == b""


def test_a_range_is_due_when_the_first_of_its_copies_no_longer_lasts_long_enough() -> None:
    now = dt.datetime(2026, 11, 29, tzinfo=dt.UTC)
    day = dt.timedelta(days=1)

    def archived(expires: dt.datetime | None) -> MediaObject:
        copy = RestoredCopy(ready=expires is not None, expires=expires)
        return MediaObject(
            bucket="b", key="a.mp4", size=1, etag="x", last_modified=now, storage_class="Archive", restored=copy
        )

    objects = [archived(None), archived(now + 9 * day), archived(now + 5 * day), archived(now + day)]
    restored = Selection(Select(archived="restored", restored_min_days=2), now=now)
    assert restored.due(objects) == now + 3 * day
    assert restored.due(objects[:1]) is None
    assert Selection(Select(), now=now).due(objects) is None
