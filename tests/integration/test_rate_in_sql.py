"""The rate limit's arithmetic is SQL: what it decides is asked of the database, and the model of the simulation is held against it."""

from __future__ import annotations

import itertools
import time

import pytest
from rate_model import share_after_refusal, share_in_force

from vod_migrate.rate.limiter import (
    AHEAD_SECONDS,
    LOOK_AHEAD,
    LOWEST,
    PRIORITY,
    Reservation,
)
from vod_migrate.results.store import Store

ACCOUNT = ("studio", "RegisterMedia")


def reserve(store: Store, count: int = 1) -> Reservation:
    return store.reserve_slots(*ACCOUNT, "", count=count, priority=PRIORITY)


@pytest.mark.parametrize("rate", [2.0, 20.0, 50.0])
def test_slots_lie_an_interval_apart_and_end_two_seconds_ahead(store: Store, rate: float) -> None:
    store.set_quota(*ACCOUNT, rate)
    slots, ahead = [], 0.0
    while reserve(store).due:
        with store.connection() as connection:
            row = connection.execute(
                "select next_at, extract(epoch from next_at - clock_timestamp()) as ahead from vod_migrate.quotas"
            ).fetchone()
        assert row is not None
        slots.append(row["next_at"].timestamp())
        ahead = float(row["ahead"])
    for first, second in itertools.pairwise(slots):
        assert second - first >= 1 / rate - 1e-4
    assert len(slots) >= AHEAD_SECONDS * rate - 1
    assert ahead <= AHEAD_SECONDS + 1 / rate
    assert ahead >= AHEAD_SECONDS - 0.5


def test_slots_that_are_reserved_together_lie_an_interval_apart_and_no_more_are_given_than_there_is_room_for(
    store: Store,
) -> None:
    store.set_quota(*ACCOUNT, 10.0)
    due = reserve(store, 8).due
    assert [later - first for first, later in itertools.pairwise(due)] == pytest.approx([0.1] * 7)
    (following,) = reserve(store).due
    assert following - due[-1] == pytest.approx(0.1, abs=0.05)
    assert len(reserve(store, 16).due) in (4, 8), "half as many, until they lie within two seconds"


def test_an_idle_account_saves_no_slots_up(store: Store) -> None:
    store.set_quota(*ACCOUNT, 4.0)
    assert reserve(store).due
    time.sleep(1.0)
    (second,), (third,) = reserve(store).due, reserve(store).due
    assert second == pytest.approx(time.monotonic(), abs=0.1)
    assert third - second == pytest.approx(0.25, abs=0.05)


LOOKS = [
    (None, 1.0, 2.0, "no higher priority was ever there"),
    (2.1, 0.1, 2.0, "the higher one has had no work for two seconds"),
    (0.5, 0.1, 0.1, "the higher one has work, and this one had its share"),
    (0.5, None, 2.0, "it never had a slot, so its share is due"),
    (0.5, 2.1, 2.0, "its share of one call in twenty is due"),
    (0.5, 1.9, 0.1, "its share is not due yet"),
    (1.9, 0.1, 0.1, "the higher one had work within two seconds"),
]


@pytest.mark.parametrize(("since_higher", "since_own", "ahead", "reason"), LOOKS, ids=[look[3] for look in LOOKS])
def test_a_lower_priority_books_less_far_ahead_while_a_higher_one_has_work(
    store: Store, since_higher: float | None, since_own: float | None, ahead: float, reason: str
) -> None:
    with store.connection() as connection:
        row = connection.execute(
            """
            select vod_migrate.ahead(array[null, null, clock_timestamp() - make_interval(secs => %s), null,
                                           clock_timestamp() - make_interval(secs => %s)]::timestamptz[],
                                     3, 10, %s, %s, %s, %s) as ahead
            """,
            (since_own, since_higher, LOOK_AHEAD.ahead, LOOK_AHEAD.yielding, LOOK_AHEAD.busy, LOOK_AHEAD.lowest),
        ).fetchone()
    assert row is not None
    assert row["ahead"] == ahead, reason


def test_the_model_knows_the_share_in_force(store: Store) -> None:
    assert share_in_force(share=LOWEST, seconds_since_cut=45) == pytest.approx(1, abs=0.02)
    with store.connection() as connection:
        for share in (0.1, 0.33, 0.64, 0.999, 1.0):
            for seconds in (-5.0, 0.0, 0.5, 1.0, 7.0, 20.0, 44.0, 60.0, 1e7):
                row = connection.execute(
                    "select vod_migrate.share(%s, clock_timestamp() - make_interval(secs => %s)) as share",
                    (share, seconds),
                ).fetchone()
                assert row is not None
                # The function reads the clock again, some microseconds later.
                assert row["share"] == pytest.approx(share_in_force(share=share, seconds_since_cut=seconds), abs=1e-3)


def test_the_model_knows_what_a_refusal_leaves(store: Store) -> None:
    for rate in (0.2, 1.0, 20.0, 47.0, 1000.0):
        for share in (0.1, 0.11, 0.5, 1.0):
            store.set_quota(*ACCOUNT, rate)
            with store.connection() as connection:
                connection.execute("update vod_migrate.quotas set factor = %s, cut_at = clock_timestamp()", (share,))
            store.slow_down(*ACCOUNT, pause=0.0)
            with store.connection() as connection:
                row = connection.execute("select factor from vod_migrate.quotas").fetchone()
            assert row is not None
            assert row["factor"] == pytest.approx(share_after_refusal(share=share, rate=rate), abs=2e-3), (rate, share)
            assert LOWEST <= row["factor"] <= max(share, LOWEST)
            assert row["factor"] >= share / 2 - 1e-2
            if row["factor"] > LOWEST:
                assert (share - row["factor"]) * rate <= 0.5 + 1e-2
