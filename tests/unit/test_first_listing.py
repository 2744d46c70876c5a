"""A first listing asks for several pages at once, whatever the keys look like: in virtual time, for the number of round trips and of requests."""

from __future__ import annotations

import heapq
import itertools
import random
import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from vod_migrate.cloud.list_page import read_page
from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover import listing, spans
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.spans import key_ahead

MOST = 10
AT_ONCE = 8


class Network:
    """A thread pool and its queue, in which each request takes 1, and nothing else takes any time."""

    def __init__(self) -> None:
        self.now = 0
        self.under_way: list[tuple[int, int, Future[Any], Callable[[], object]]] = []
        self.most = 0
        self._arrived: deque[Any] = deque()
        self._numbers = itertools.count()

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        answer = work(*arguments)
        heapq.heappush(self.under_way, (self.now + 1, next(self._numbers), future, lambda: future.set_result(answer)))
        self.most = max(self.most, len(self.under_way))
        return future

    def shutdown(self, **_: Any) -> None:
        return

    def put(self, arrived: Any) -> None:
        self._arrived.append(arrived)

    def empty(self) -> bool:
        return not self._arrived

    def get(self) -> Any:
        while not self._arrived:
            self.now = self.under_way[0][0]
            while self.under_way and self.under_way[0][0] == self.now:
                heapq.heappop(self.under_way)[3]()
        return self._arrived.popleft()


class Shelf:
    """A bucket with nothing but keys, in the order of OSS."""

    name = "bbb"

    def __init__(self, keys: set[str]) -> None:
        self.keys = sorted(keys, key=str.encode)
        self._sortable = [key.encode() for key in self.keys]
        self.requests = 0

    def list_unread(self, prefix: str, *, most: int, after: str = "", token: str = "") -> Any:
        self.requests += 1
        start = bisect_right(self._sortable, (token or after).encode())
        found = self.keys[start : start + most]
        goes_on = start + most < len(self.keys)
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2024-05-01T10:00:00.000Z</LastModified><ETag>e</ETag><Size>5</Size>"
            "<StorageClass>Standard</StorageClass></Contents>"
            for key in found
        )
        token = f"<NextContinuationToken>{found[-1]}</NextContinuationToken>" if goes_on else ""
        told = f"<Prefix>{prefix}</Prefix><IsTruncated>{str(goes_on).lower()}</IsTruncated>{token}"
        return SimpleNamespace(body=f"<ListBucketResult>{told}{contents}</ListBucketResult>".encode())

    def read(self, page: Any) -> Any:
        return read_page(page)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """In place of threads."""
    network = Network()
    monkeypatch.setattr(spans, "ThreadPoolExecutor", lambda *_, **__: network)
    monkeypatch.setattr(spans, "SimpleQueue", lambda: network)
    monkeypatch.setattr(listing, "read_ahead", lambda pages: pages)
    return network


def steps(shelf: Shelf, *, start: str = "", at_once: int = AT_ONCE) -> Iterator[ListedPage]:
    whole = listing.Listing(
        bucket=cast(BucketClient, shelf),
        prefix="",
        start=start,
        known=lambda _: (),
        at_once=at_once,
        judge=lambda pages, _: pages,
        doubt=lambda _: None,
        sleep=lambda _: None,
        most=MOST,
    )
    return cast(Iterator[ListedPage], whole.steps())


def listed(shelf: Shelf, *, start: str = "", at_once: int = AT_ONCE) -> list[str]:
    return [found.key for page in steps(shelf, start=start, at_once=at_once) for found in page.objects]


def shape(name: str) -> set[str]:
    """Five thousand keys: 500 pages, ten to a page."""
    chance, count = random.Random(5), 5_000  # noqa: S311 - no secret
    signs = [chr(chance.randrange(0x4E00, 0x9000)) for _ in range(900)]

    def some_id() -> str:
        return str(uuid.UUID(int=chance.getrandbits(128)))

    return {
        "one flat folder": lambda: {f"archive/with-a-long-name/clip-{number:08}.mp4" for number in range(count)},
        "folders of a page": lambda: {f"2024-{number // 10:05}/clip-{number:08}.mp4" for number in range(count)},
        "numbers only": lambda: {str(number) for number in range(count)},
        "random names": lambda: {f"v/{some_id()}.mp4" for _ in range(count)},
        "a folder for each user": lambda: {
            f"{folder}/{number}.mp4" for folder in [some_id() for _ in range(count // 4)] for number in range(4)
        },
        "Chinese titles": lambda: {
            f"节目/{''.join(chance.choice(signs) for _ in range(4))} 第{number}集+.mp4" for number in range(count)
        },
        "a folder for each day": lambda: {
            f"{year}/{month:02}/{day:02}/cam-{number:04}.mp4"
            for year in (2022, 2023, 2024)
            for month in range(1, 7)
            for day in range(1, 29)
            for number in range(chance.randrange(20))
        },
        "one day has nearly all": lambda: (
            {f"{letter}/{number}" for letter in "abxyz" for number in range(100)}
            | {f"k/2024/11/29/{number:08}.mp4" for number in range(count)}
        ),
    }[name]()


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("one flat folder", 4),
        ("folders of a page", 4),
        ("numbers only", 4),
        ("random names", 4),
        ("a folder for each user", 4),
        ("Chinese titles", 4),
        ("a folder for each day", 4),
        ("one day has nearly all", 3),
    ],
)
def test_eight_requests_at_once_take_a_fraction_of_the_round_trips_and_five_percent_more_requests(
    network: Network, name: str, times: int
) -> None:
    shelf = Shelf(shape(name))
    assert listed(shelf) == shelf.keys
    pages = len(shelf.keys) / MOST
    assert network.now * times < pages
    assert shelf.requests <= 1.05 * pages + 2 * AT_ONCE
    assert network.most <= AT_ONCE


@pytest.mark.parametrize("guess", ["{}!", "{}\U0010fffe", "f{{"])
def test_guesses_that_are_always_wrong_cost_no_more_than_five_percent(
    network: Network, monkeypatch: pytest.MonkeyPatch, guess: str
) -> None:
    monkeypatch.setattr(spans, "key_ahead", lambda key, *_: guess.format(key))
    shelf = Shelf({f"f{number:05}" for number in range(5_000)})
    assert listed(shelf) == shelf.keys
    assert shelf.requests <= 1.05 * len(shelf.keys) / MOST + 2 * AT_ONCE
    assert network.most > 1


@pytest.mark.parametrize("keys", [0, 1, 9, 10, 11, 69])
def test_a_small_prefix_costs_its_pages_and_the_question_whether_that_was_all(network: Network, keys: int) -> None:
    shelf = Shelf({f"f{number:03}" for number in range(keys)})
    assert listed(shelf) == shelf.keys
    assert shelf.requests == -(-keys // MOST) + 1
    assert network.most == 1


def test_one_request_at_once_cuts_nothing(network: Network) -> None:
    shelf = Shelf(shape("one flat folder"))
    assert listed(shelf, at_once=1) == shelf.keys
    assert (network.most, shelf.requests) == (1, len(shelf.keys) // MOST + 1)


def test_a_listing_goes_on_from_where_another_was_killed(network: Network) -> None:
    shelf = Shelf(shape("random names"))
    before = [found.key for page in itertools.islice(steps(shelf), 150) for found in page.objects]
    assert before + listed(shelf, start=before[-1]) == shelf.keys
    assert network.most == AT_ONCE


def test_pages_that_wait_take_no_more_memory_than_they_may(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that is far slower than the network: all that may come ahead has come."""
    shelf = Shelf(shape("one flat folder"))
    page = len(shelf.list_unread("", most=MOST).body)
    monkeypatch.setattr(spans, "MOST_HELD_BYTES", 130 * page)
    held = []
    passed = spans.Spans.passed

    def watching(self: spans.Spans, key: str, keys: int | None) -> None:
        passed(self, key, keys)
        while network.under_way:
            network.put(network.get())
        held.append(sum(unread.size for one in self._spans for unread in one.pages))

    monkeypatch.setattr(spans.Spans, "passed", watching)
    assert listed(shelf) == shelf.keys
    assert 100 * page < max(held) < (130 + AT_ONCE) * page


@pytest.mark.parametrize(
    ("ends", "key", "ahead"),
    [
        (["f0019", "f0029", "f0039", "f0049"], "f0109", "f014"),
        (["a/19", "b/29", "c/39", "d/49"], "x/1", "|"),
        (
            ["节目/一", "节目/三", "节目/五"],
            "节目/七",
            "节目/七"[:-1] + chr(ord("七") + 4 * (ord("五") - ord("一")) // 2),
        ),
        (["x1", "x2"], "x3", None),
        (["x1", "x2", "x3"], "x\U0010ffff", None),
        (["a\ud7f0", "a\ud7f4", "a\ud7f8"], "a\ud7fc", "a\ue000"),
    ],
    ids=["a number", "folders", "signs", "too little is known", "nothing can follow", "no surrogate"],
)
def test_a_key_ahead_is_guessed_from_how_keys_went_on(ends: list[str], key: str, ahead: str | None) -> None:
    assert key_ahead(key, ends, 4) == ahead
