"""Waiting for a slot, and the breaker, on a clock that is handed in."""

from __future__ import annotations

import threading

import pytest
from rate_model import next_slot

from vod_migrate.errors import Interrupted, QuotaConflict, StoreError
from vod_migrate.rate.limiter import (
    AHEAD_SECONDS,
    LATE_SECONDS,
    MOST_PAUSE_SECONDS,
    RateLimiter,
    Reservation,
    agree_on_rate,
)
from vod_migrate.register.breaker import STREAK, Breaker
from vod_migrate.shutdown import StopClock, Timings


class HandClock:
    """Time that passes only by sleeping; oversleep is how late each sleep ends."""

    def __init__(self, oversleep: float = 0.0) -> None:
        self.time = 0.0
        self.oversleep = oversleep

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds + self.oversleep
        self.oversleep = 0.0


class Rows:
    """Quota rows in memory, by the model of what the store does in SQL."""

    def __init__(self, clock: HandClock, **rates: float) -> None:
        self.clock = clock
        self.rates = rates
        self.until = dict.fromkeys(rates, 0.0)
        self.pauses: list[float] = []

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        return self.rates.setdefault(f"{account}/{api}", rate)

    def reserve_slots(self, account: str, api: str, scope: str, *, count: int, priority: int) -> Reservation:
        assert (account, api, priority, count) == ("studio", "RegisterMedia", 5, 1)
        name, now = scope or "account", self.clock.now()
        if name not in self.rates:
            raise KeyError(name)
        due = next_slot(now=now, reserved_until=self.until[name], ahead=AHEAD_SECONDS)
        if due is None:
            return Reservation(ask_again_in=self.until[name] - AHEAD_SECONDS - now)
        self.until[name] = due + 1 / self.rates[name]
        return Reservation(due=(due,), interval=1 / self.rates[name])

    def slow_down(self, account: str, api: str, *, pause: float) -> None:
        assert (account, api) == ("studio", "RegisterMedia")
        self.pauses.append(pause)


def test_a_call_waits_for_its_slot_and_for_its_cap_first() -> None:
    clock = HandClock()
    caps = ["night"]
    limiter = RateLimiter(Rows(clock, account=50, night=2), account="studio", clock=clock, caps=lambda: caps)
    for _ in range(5):
        limiter.wait()
    assert clock.time == pytest.approx(2.0)
    caps.remove("night")
    for _ in range(5):
        limiter.wait()
    assert clock.time < 2.2, "without the cap the account's rate applies at once"


def test_a_cap_that_has_ended_holds_nobody_up() -> None:
    clock = HandClock()
    RateLimiter(Rows(clock, account=50), account="studio", clock=clock, caps=lambda: ["night"]).wait()
    assert clock.time == 0


def test_a_slot_that_would_be_used_late_is_reserved_anew() -> None:
    clock = HandClock()
    rows = Rows(clock, account=1)
    limiter = RateLimiter(rows, account="studio", clock=clock)
    limiter.wait()
    clock.oversleep = LATE_SECONDS + 1
    limiter.wait()
    assert rows.until["account"] - clock.time == pytest.approx(1.0)


class Ahead(Rows):
    """Hands out ten seconds of slots at once."""

    def reserve_slots(self, *_: object, **__: object) -> Reservation:
        return Reservation(due=tuple(place / 47 for place in range(470)), interval=1 / 47)


def test_slots_that_are_late_after_a_stall_leave_no_bunch() -> None:
    clock = HandClock()
    limiter = RateLimiter(Ahead(clock), account="studio", clock=clock)
    left = []
    for number in range(470):
        clock.oversleep = LATE_SECONDS - 0.01 if number == 100 else 0.0
        limiter.wait()
        left.append(clock.time)
    assert max(sum(start <= at < start + 1 for at in left) for start in left) <= 50
    assert left[-1] < 10, "what was late was caught up"


def test_when_slots_are_taken_too_far_ahead_a_worker_comes_back_later() -> None:
    clock = HandClock()
    rows = Rows(clock, account=10)
    rows.until["account"] = 7.0
    RateLimiter(rows, account="studio", clock=clock).wait()
    assert clock.time == pytest.approx(7.0)


@pytest.mark.parametrize(("told", "pause"), [(None, 0), (1.5, 1.5), (-3, 0), (1e11, MOST_PAUSE_SECONDS)])
def test_a_throttled_call_pauses_the_account_as_told_but_never_for_years(told: float | None, pause: float) -> None:
    rows = Rows(HandClock(), account=10)
    RateLimiter(rows, account="studio", clock=rows.clock).throttled(retry_after=told)
    assert rows.pauses == [pause]


def test_the_first_connection_sets_the_rate_and_another_rate_is_refused_by_name() -> None:
    rows = Rows(HandClock())
    assert agree_on_rate(rows, account="studio", configured=None) == 47
    assert agree_on_rate(rows, account="studio", configured=47) == 47
    with pytest.raises(QuotaConflict, match=r"'studio' has a rate of 47 .* calls_per_second = 20") as caught:
        agree_on_rate(rows, account="studio", configured=20)
    assert "vod-migrate quota studio" in str(caught.value)


def test_a_stopped_clock_interrupts_a_sleep_at_once() -> None:
    stop = threading.Event()
    clock = StopClock(stop)
    clock.sleep(-1)
    stop.set()
    before = clock.now()
    with pytest.raises(Interrupted):
        clock.sleep(60)
    assert clock.now() - before < 5


def test_a_streak_opens_the_breaker_and_one_answer_closes_it() -> None:
    breaker = Breaker(HandClock(), Timings())
    seen = []
    for step in [*["failed"] * (STREAK - 1), "answered", *["failed"] * STREAK, "answered"]:
        getattr(breaker, step)()
        seen.append(breaker.open)
    assert seen == [False] * (2 * STREAK - 1) + [True, False]


def test_an_open_breaker_admits_one_probe_every_two_seconds() -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())
    for _ in range(STREAK):
        breaker.failed()
    admitted = []
    for _ in range(4):
        breaker.admit()
        admitted.append(clock.now())
    assert admitted == [0, 2, 4, 6]


def test_a_breaker_knows_whether_others_were_answered_since() -> None:
    clock = HandClock()
    breaker = Breaker(clock, Timings())
    assert not breaker.answered_since(0)
    clock.sleep(5)
    breaker.answered()
    assert breaker.answered_since(4)
    assert not breaker.answered_since(5)


class NoRows(Rows):
    """Somebody deleted the rate."""

    def reserve_slots(self, account: str, api: str, scope: str, *, count: int, priority: int) -> Reservation:
        raise KeyError(account, api, scope, count, priority)


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ("RegisterMedia", "`vod-migrate quota studio --calls-per-second 47`"),
        ("GetCategories", "start the run again"),
        ("AddCategory", "start the run again"),
    ],
)
def test_a_rate_that_is_missing_is_named_with_what_mends_that_apis(api: str, says: str) -> None:
    clock = HandClock()
    with pytest.raises(StoreError, match=f"of account 'studio' for {api} is missing") as gone:
        RateLimiter(NoRows(clock), account="studio", clock=clock, api=api).wait()
    assert says in str(gone.value)
