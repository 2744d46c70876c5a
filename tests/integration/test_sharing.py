"""Who gets the account's calls: priorities on the shared row, and paces that change while they are waited for."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from databases import Databases
from rigging import BUCKET, put
from virtual_time import VirtualTime

from vod_migrate.errors import BadOption, Interrupted
from vod_migrate.rate.limiter import API, RateLimiter
from vod_migrate.results import rates
from vod_migrate.results.store import Store
from vod_migrate.run import control
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox

RATE = 40.0


class Crowd:
    """Workers that take one slot after the other, each as a sending thread does, and how many each name took."""

    def __init__(self, store: Store, clock: VirtualTime) -> None:
        self.store, self.clock = store, clock
        self.taken: collections.Counter[str] = collections.Counter()

    def add(self, name: str, *, priority: int, caps: Callable[[], Any] = tuple, workers: int = 10) -> None:
        def send() -> None:
            # One limiter each: the threads of a shared one wait for each other by the clock of the wall.
            limiter = RateLimiter(self.store, account="studio", clock=self.clock, caps=caps, priority=priority)
            while True:
                limiter.wait()
                self.taken[name] += 1
                self.clock.sleep(0.05)

        for _ in range(workers):
            self.clock.start(send)

    def during(self, seconds: float) -> dict[str, float]:
        """Calls a second of each name in the next seconds."""
        before = dict(self.taken)
        self.clock.pass_by(seconds)
        return {name: (count - before.get(name, 0)) / seconds for name, count in self.taken.items()}


@pytest.fixture
def crowd(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    # Straight to the server: its clock is replaced by options, which a pooler refuses.
    with databases.one() as url:
        clock = VirtualTime(url)
        # The clock on which the store tells when a slot is due.
        monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=clock.now))
        with Store.open(clock.url) as store:
            store.keep_quota("studio", API, RATE)
            yield Crowd(store, clock)
        clock.end()


def test_the_higher_priority_gets_its_way_and_the_lower_one_a_small_share(crowd: Crowd) -> None:
    crowd.add("high", priority=9)
    crowd.add("low", priority=2)
    crowd.during(1.0)
    calls = crowd.during(5.0)
    assert calls["high"] >= 0.9 * RATE
    assert 0.02 * RATE <= calls["low"] <= 0.1 * RATE
    assert sum(calls.values()) == pytest.approx(RATE, rel=0.02), "sharing costs the account nothing"


def test_the_lower_priority_gets_what_a_higher_one_leaves(crowd: Crowd) -> None:
    crowd.store.set_quota("studio", API, 10.0, scope="run:high")
    crowd.add("high", priority=9, caps=lambda: ("run:high",))
    crowd.add("low", priority=2)
    crowd.during(1.0)
    calls = crowd.during(5.0)
    assert calls["high"] >= 0.95 * 10
    assert calls["low"] >= 0.95 * (RATE - 10)


@pytest.mark.parametrize("priority", [1, 10])
def test_alone_every_priority_has_the_whole_rate(crowd: Crowd, priority: int) -> None:
    crowd.add("only", priority=priority)
    crowd.during(1.0)
    assert crowd.during(5.0)["only"] == pytest.approx(RATE, rel=0.01)


def rate_of(rig: Any, seconds: float) -> float:
    before, began = rig.calls(), time.monotonic()
    time.sleep(seconds)
    return (rig.calls() - before) / (time.monotonic() - began)


@pytest.mark.alone
def test_the_pace_of_a_run_and_of_a_migration_changes_while_it_runs(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=5_000, dirt=0)
    run = rig.prepare()
    rig.discover(run)
    stop = threading.Event()
    worker = threading.Thread(target=_quietly, args=(rig.register, run, stop), daemon=True)
    worker.start()
    try:
        time.sleep(1.0)
        assert control.set_run_rate(rig.store, run.run_id, 4, by="ann").options.calls_per_second == 4
        time.sleep(2.5)
        assert 2 <= rate_of(rig, 1.5) <= 6, "a run that had no pace of its own follows within three seconds"
        control.set_run_rate(rig.store, run.run_id, None, by="ann")
        control.set_migration_rate(rig.store, "default", "nightly", 12, by="ann")
        time.sleep(2.5)
        assert 9 <= rate_of(rig, 1.5) <= 15
    finally:
        stop.set()
        worker.join(10)
    finish(store=rig.store, run_id=run.run_id)
    with pytest.raises(BadOption, match="its rate can no longer be changed"):
        control.set_run_rate(rig.store, run.run_id, 4, by="ann")


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
    control.set_run_rate(rig.store, run.run_id, 100, by="ann")
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
    control.set_migration_rate(rig.store, "default", "nightly", 7, by="ann")
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
        control.set_run_rate(rig.store, run.run_id, pace, by="ann")
