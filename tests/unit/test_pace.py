"""The quota's arithmetic, the waiting around it, and the breaker: numbers in, numbers out, on a clock that is handed in."""

from __future__ import annotations

import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vod_migrate.errors import Interrupted, QuotaConflict, StoreError
from vod_migrate.rate.limiter import (
    AHEAD_SECONDS,
    LATE_SECONDS,
    LOWEST,
    MOST_PAUSE_SECONDS,
    LookAhead,
    RateLimiter,
    Reservation,
    agree_on_rate,
    look_ahead,
    next_slot,
    share_after_refusal,
    share_in_force,
)
from vod_migrate.register.breaker import STREAK, Breaker
from vod_migrate.shutdown import StopClock


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
    """Quota rows in memory, by the arithmetic that the store does in SQL."""

    def __init__(self, clock: HandClock, **rates: float) -> None:
        self.clock = clock
        self.rates = rates
        self.until = dict.fromkeys(rates, 0.0)
        self.pauses: list[float] = []

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        return self.rates.setdefault(f"{account}/{api}", rate)

    def reserve_slot(self, account: str, api: str, scope: str, *, priority: int, look: LookAhead) -> Reservation:
        assert (account, api, priority) == ("studio", "RegisterMedia", 5)
        name, now = scope or "account", self.clock.now()
        if name not in self.rates:
            raise KeyError(name)
        slot = next_slot(now=now, reserved_until=self.until[name], rate=self.rates[name], ahead=look.ahead)
        if slot is None:
            return Reservation(ask_again_in=self.until[name] - look.ahead - now)
        self.until[name] = slot.reserved_until
        return Reservation(due=slot.at)

    def slow_down(self, account: str, api: str, *, cut: float, most_cut: float, lowest: float, pause: float) -> None:
        assert (account, api) == ("studio", "RegisterMedia")
        assert 0 < lowest < most_cut < 1
        assert cut > 0
        self.pauses.append(pause)


@given(some.floats(0.5, 200), some.lists(some.floats(0, 0.5), min_size=1, max_size=300))
def test_no_second_holds_more_than_one_call_above_the_rate(rate: float, gaps: list[float]) -> None:
    now, until, sent = 0.0, 0.0, []
    for gap in gaps:
        now += gap
        slot = next_slot(now=now, reserved_until=until, rate=rate)
        if slot is None:
            assert until > now + AHEAD_SECONDS
            continue
        assert now <= slot.at <= now + AHEAD_SECONDS
        assert slot.at >= until
        assert math.isclose(slot.reserved_until - slot.at, 1 / rate, rel_tol=1e-6)
        until = slot.reserved_until
        sent.append(slot.at)
    for place, first in enumerate(sent):
        within = sum(1 for at in sent[place:] if at < first + 1 - 1e-9)
        assert within <= rate + 1


def test_an_idle_account_saves_no_slots_up() -> None:
    slot = next_slot(now=1_000.0, reserved_until=1.0, rate=50.0)
    assert slot is not None
    assert (slot.at, slot.reserved_until) == (1_000.0, 1_000.02)


@given(some.floats(0.1, 1), some.floats(0.1, 1), some.floats(-10, 1e9), some.floats(-10, 1e9))
def test_the_share_in_force_grows_with_time_and_with_the_share_and_ends_at_the_whole(
    low: float, high: float, early: float, late: float
) -> None:
    low, high = sorted((low, high))
    early, late = sorted((early, late))
    at_first = share_in_force(share=low, seconds_since_cut=early)
    assert low <= at_first <= share_in_force(share=low, seconds_since_cut=late) <= 1
    assert at_first <= share_in_force(share=high, seconds_since_cut=early)
    assert share_in_force(share=low, seconds_since_cut=60) == 1


@given(some.floats(0.1, 1), some.floats(0.01, 1000))
def test_a_refusal_takes_half_a_call_a_second_but_never_more_than_half_of_what_is_left(
    share: float, rate: float
) -> None:
    left = share_after_refusal(share=share, rate=rate)
    assert LOWEST <= left <= max(share, LOWEST)
    assert left >= share / 2 - 1e-9
    if left > LOWEST:
        assert (share - left) * rate <= 0.5 + 1e-9


def test_a_pace_waits_for_its_slot_and_for_its_cap_first() -> None:
    clock = HandClock()
    caps = ["night"]
    pace = RateLimiter(Rows(clock, account=50, night=2), account="studio", clock=clock, caps=lambda: caps)
    for _ in range(5):
        pace.wait()
    assert clock.time == pytest.approx(2.0)
    caps.remove("night")
    for _ in range(5):
        pace.wait()
    assert clock.time < 2.2, "without the cap it goes at the account's pace at once"


def test_a_cap_that_has_ended_holds_nobody_up() -> None:
    clock = HandClock()
    RateLimiter(Rows(clock, account=50), account="studio", clock=clock, caps=lambda: ["night"]).wait()
    assert clock.time == 0


LOOKS = [
    (None, 1.0, 2.0, "no higher priority was ever there"),
    (2.0, 0.1, 2.0, "the higher one has had no work for two seconds"),
    (0.5, 0.1, 0.1, "the higher one has work, and this one had its share"),
    (0.5, None, 2.0, "it never had a slot, so its share is due"),
    (0.5, 2.0, 2.0, "its share of one call in twenty is due"),
    (0.5, 1.9, 0.1, "its share is not due yet"),
]


@pytest.mark.parametrize(("since_higher", "since_own", "ahead", "reason"), LOOKS, ids=[look[3] for look in LOOKS])
def test_a_lower_priority_books_less_far_ahead_while_a_higher_one_has_work(
    since_higher: float | None, since_own: float | None, ahead: float, reason: str
) -> None:
    assert look_ahead(since_higher=since_higher, since_own=since_own, rate=10) == ahead, reason


def test_a_slot_that_would_be_used_late_is_reserved_anew() -> None:
    clock = HandClock()
    rows = Rows(clock, account=1)
    pace = RateLimiter(rows, account="studio", clock=clock)
    pace.wait()
    clock.oversleep = LATE_SECONDS + 1
    pace.wait()
    assert rows.until["account"] - clock.time == pytest.approx(1.0)


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


def test_the_first_connection_sets_the_pace_and_another_pace_is_refused_by_name() -> None:
    rows = Rows(HandClock())
    assert agree_on_rate(rows, account="studio", configured=None) == 47
    assert agree_on_rate(rows, account="studio", configured=47) == 47
    with pytest.raises(QuotaConflict, match=r"'studio' is paced at 47 .* calls_per_second = 20") as caught:
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
    breaker = Breaker(HandClock())
    seen = []
    for step in [*["failed"] * (STREAK - 1), "answered", *["failed"] * STREAK, "answered"]:
        getattr(breaker, step)()
        seen.append(breaker.open)
    assert seen == [False] * (2 * STREAK - 1) + [True, False]


def test_an_open_breaker_admits_one_probe_every_two_seconds() -> None:
    clock = HandClock()
    breaker = Breaker(clock)
    for _ in range(STREAK):
        breaker.failed()
    admitted = []
    for _ in range(4):
        breaker.admit()
        admitted.append(clock.now())
    assert admitted == [0, 2, 4, 6]


def test_a_breaker_knows_whether_others_were_answered_since() -> None:
    clock = HandClock()
    breaker = Breaker(clock)
    assert not breaker.answered_since(0)
    clock.sleep(5)
    breaker.answered()
    assert breaker.answered_since(4)
    assert not breaker.answered_since(5)


class NoRows(Rows):
    """Somebody deleted the pace."""

    def reserve_slot(self, account: str, api: str, scope: str, *, priority: int, look: LookAhead) -> Reservation:
        raise KeyError(account, api, scope, priority, look)


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ("RegisterMedia", "`vod-migrate quota studio --calls-per-second 47`"),
        ("GetCategories", "start the run again"),
        ("AddCategory", "start the run again"),
    ],
)
def test_a_pace_that_is_gone_is_named_with_what_mends_that_apis(api: str, says: str) -> None:
    clock = HandClock()
    with pytest.raises(StoreError, match=f"of account 'studio' for {api} is gone") as gone:
        RateLimiter(NoRows(clock), account="studio", clock=clock, api=api).wait()
    assert says in str(gone.value)
