"""An account shared with an application that knows nothing of us, simulated: the arithmetic without the noise of a machine.

The quota is 50 calls in any sliding second, a refused call leaves no trace, slots are reserved 1.5 s ahead, calls arrive 3 ms late on
average, and a refusal is felt 35 ms after it. benchmarks/sharing.py measures the same with real processes.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rate_model import next_slot, share_after_refusal, share_in_force

from vod_migrate.rate.limiter import LOWEST

QUOTA, RATE, AHEAD, NOISE, ROUND_TRIP = 50, 47.0, 1.5, 0.003, 0.035
END = 400.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """Calls a second of a stretch, and the share of ours that was refused."""

    ours: float
    foreign: float
    refused: float

    @property
    def of_the_rest(self) -> float:
        return self.ours / (QUOTA - self.foreign)


class Account:
    """One simulated account; `until` runs it on and tells what happened."""

    def __init__(self, foreign: Iterator[float], *, noise: float = NOISE, seed: int = 1) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.noise = noise
        self.numbers = itertools.count()
        self.events: list[tuple[float, int, str]] = []
        self.window: deque[float] = deque()
        self.now, self.reserved_until, self.left, self.cut_at = 0.0, 0.0, 1.0, float("-inf")
        self.put(0.0, "reserve")
        for at in itertools.takewhile(lambda at: at < END, foreign):
            self.put(at + self.late(), "foreign")

    def put(self, at: float, what: str) -> None:
        heapq.heappush(self.events, (at, next(self.numbers), what))

    def late(self) -> float:
        return self.random.expovariate(1 / self.noise)

    @property
    def share(self) -> float:
        return share_in_force(share=self.left, seconds_since_cut=self.now - self.cut_at)

    def until(self, end: float) -> Told:
        began, granted, refused = self.now, {"ours": 0, "foreign": 0}, {"ours": 0, "foreign": 0}
        while self.events[0][0] < end:
            self.now, _, what = heapq.heappop(self.events)
            if what == "reserve":
                self.reserve()
            elif what == "cut":
                self.left, self.cut_at = share_after_refusal(share=self.share, rate=RATE), self.now
            else:
                accepted = self.arrive()
                (granted if accepted else refused)[what] += 1
                if what == "ours" and not accepted:
                    self.put(self.now + ROUND_TRIP, "cut")
        self.now = end
        seconds = end - began
        return Told(
            ours=granted["ours"] / seconds,
            foreign=granted["foreign"] / seconds,
            refused=refused["ours"] / max(1, granted["ours"] + refused["ours"]),
        )

    def reserve(self) -> None:
        rate = RATE * self.share
        slot = next_slot(now=self.now, reserved_until=self.reserved_until, ahead=AHEAD)
        if slot is None:
            self.put(self.reserved_until - AHEAD + 1e-6, "reserve")
            return
        self.reserved_until = slot + 1 / rate
        self.put(slot + self.late(), "ours")
        self.put(self.now, "reserve")

    def arrive(self) -> bool:
        while self.window and self.window[0] <= self.now - 1:
            self.window.popleft()
        if len(self.window) >= QUOTA:
            return False
        self.window.append(self.now)
        return True


def evenly(calls_per_second: float, *, since: float = 0.0, until: float = float("inf")) -> Iterator[float]:
    number = 0
    while since + number / calls_per_second < until:
        yield since + number / calls_per_second
        number += 1


def in_bursts() -> Iterator[float]:
    return (at for burst in evenly(2) for at in [burst] * 10)


@pytest.mark.parametrize("seed", range(3))
def test_beside_a_steady_caller_we_take_95_percent_of_the_rest_with_1_percent_refused(seed: int) -> None:
    account = Account(evenly(20), seed=seed)
    account.until(60)
    told = account.until(360)
    assert told.of_the_rest >= 0.95, told
    assert told.refused <= 0.01, told
    assert told.foreign >= 19, "the foreign caller keeps what it takes"


def test_beside_a_caller_that_comes_in_bursts_we_take_92_percent_of_the_rest() -> None:
    account = Account(in_bursts())
    account.until(60)
    told = account.until(360)
    assert told.of_the_rest >= 0.92, told
    assert told.refused <= 0.01, told


@pytest.mark.parametrize("noise", [0.003, 0.020])
def test_alone_the_whole_pace_is_used(noise: float) -> None:
    told = Account(iter(()), noise=noise).until(300)
    assert told.ours >= 0.97 * RATE, told
    assert told.refused <= 0.005, told


def test_a_caller_that_leaves_is_forgotten_within_forty_seconds() -> None:
    account = Account(evenly(20, since=10, until=70))
    account.until(70)
    assert account.share < 0.7
    account.until(110)
    assert account.share == 1


def test_a_caller_that_takes_nearly_all_leaves_us_the_lowest_share_and_no_less() -> None:
    account = Account(evenly(49))
    account.until(60)
    told = account.until(120)
    assert LOWEST <= account.share < 0.2, told
