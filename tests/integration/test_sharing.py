"""Who gets the account's calls: priorities on the shared row, and paces that change while they are waited for."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import pytest
from rigging import BUCKET, put

from vod_migrate.errors import BadOption, Interrupted
from vod_migrate.rate.limiter import API, RateLimiter
from vod_migrate.results.store import Store
from vod_migrate.run import control
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.shutdown import StopClock

RATE = 40.0


class Crowd:
    """Threads that take one slot after the other, each as a sending thread does, and how many each name took."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stop = threading.Event()
        self.taken: collections.Counter[str] = collections.Counter()
        self.threads: list[threading.Thread] = []

    def add(self, name: str, *, priority: int, caps: Callable[[], Any] = tuple, threads: int = 10) -> None:
        pace = RateLimiter(
            self.store, account="studio", clock=StopClock(self.stop), caps=caps, priority=priority
        )  # fmt: skip

        def send() -> None:
            try:
                while True:
                    pace.wait()
                    self.taken[name] += 1
                    pace.clock.sleep(0.05)
            except Interrupted:
                return

        self.threads += [threading.Thread(target=send, daemon=True) for _ in range(threads)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(5)

    def during(self, seconds: float) -> dict[str, float]:
        """Calls a second of each name in the next seconds."""
        before, began = dict(self.taken), time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
        return {name: (count - before.get(name, 0)) / took for name, count in self.taken.items()}


@pytest.fixture
def crowd(store: Store) -> Crowd:
    store.keep_quota("studio", API, RATE)
    return Crowd(store)


def test_the_higher_priority_gets_its_way_and_the_lower_one_a_small_share(crowd: Crowd) -> None:
    crowd.add("high", priority=9)
    crowd.add("low", priority=2)
    with crowd:
        time.sleep(1.0)
        rates = crowd.during(3.0)
    assert rates["high"] >= 0.85 * RATE
    assert 0.02 * RATE <= rates["low"] <= 0.1 * RATE
    assert sum(rates.values()) >= 0.95 * RATE, "sharing costs the account nothing"


def test_the_lower_priority_gets_what_a_higher_one_leaves(crowd: Crowd) -> None:
    crowd.store.keep_cap("studio", API, "run:high", 10.0)
    crowd.add("high", priority=9, caps=lambda: ("run:high",))
    crowd.add("low", priority=2)
    with crowd:
        time.sleep(1.0)
        rates = crowd.during(3.0)
    assert rates["high"] >= 0.9 * 10
    assert rates["low"] >= 0.9 * (RATE - 10)


@pytest.mark.parametrize("priority", [1, 10])
def test_alone_every_priority_has_the_whole_pace(crowd: Crowd, priority: int) -> None:
    crowd.add("only", priority=priority)
    with crowd:
        time.sleep(0.5)
        assert crowd.during(1.5)["only"] >= 0.97 * RATE


def rate_of(rig: Any, seconds: float) -> float:
    before, began = rig.calls(), time.monotonic()
    time.sleep(seconds)
    return (rig.calls() - before) / (time.monotonic() - began)


def test_the_pace_of_a_run_and_of_a_migration_changes_while_it_runs(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=5_000, dirt=0)
    run = rig.prepare()
    rig.discover(run)
    stop = threading.Event()
    worker = threading.Thread(target=_quietly, args=(rig.register, run, stop), daemon=True)
    worker.start()
    try:
        time.sleep(1.0)
        assert control.set_run_rate(rig.store, run.run_id, 4).options.calls_per_second == 4
        time.sleep(2.5)
        assert 2 <= rate_of(rig, 1.5) <= 6, "a run that had no pace of its own follows within three seconds"
        control.set_run_rate(rig.store, run.run_id, None)
        control.set_migration_rate(rig.store, "default", "nightly", 12)
        time.sleep(2.5)
        assert 9 <= rate_of(rig, 1.5) <= 15
    finally:
        stop.set()
        worker.join(10)
    finish(store=rig.store, run_id=run.run_id)
    with pytest.raises(BadOption, match="it has no pace any more"):
        control.set_run_rate(rig.store, run.run_id, 4)


def _quietly(work: Callable[..., None], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Interrupted:
        return


def test_a_pace_that_was_nearly_nothing_is_forgotten_when_it_is_raised(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 100)
    run = rig.prepare(calls_per_second=0.01)
    rig.discover(run)
    worker = threading.Thread(target=rig.register, args=(run,), daemon=True)
    worker.start()
    time.sleep(2.0)
    assert rig.calls() <= 1
    control.set_run_rate(rig.store, run.run_id, 100)
    worker.join(15)
    assert len(sandbox.truth(BUCKET)) == 100


def test_a_migrations_pace_by_hand_holds_while_a_run_of_it_is_under_way_and_then_the_file_counts(
    rig: Any, sandbox: Sandbox
) -> None:
    put(sandbox, 1)
    capped = rig.migration(register={"calls_per_second": 30})
    first = rig.prepare(capped)

    def kept() -> list[float]:
        return [rate for _, _, scope, rate, _ in rig.store.quotas() if scope == "migration:nightly"]

    assert kept() == [30]
    control.set_migration_rate(rig.store, "default", "nightly", 7)
    rig.store.take_place(first, slot="one", host="h")
    rig.prepare(capped)
    assert kept() == [7]
    for (run_id,) in rig.rows("select run_id from vod_migrate.runs"):
        finish(store=rig.store, run_id=run_id)
    rig.prepare(capped)
    assert kept() == [30]
    for (run_id,) in rig.rows("select run_id from vod_migrate.runs"):
        finish(store=rig.store, run_id=run_id)
    rig.prepare()
    assert kept() == []


@pytest.mark.parametrize("pace", [0, -1, 1_001, float("nan")])
def test_a_pace_that_is_none_is_refused(rig: Any, pace: float) -> None:
    run = rig.prepare()
    with pytest.raises(BadOption, match="above 0 and up to 1000"):
        control.set_run_rate(rig.store, run.run_id, pace)
