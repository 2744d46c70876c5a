"""A database that is far away, or stands still for a while: calls keep their rate, and never leave in one bunch."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from delay_proxy import DelayProxy
from rigging import BUCKET, Rig
from waiting import InBackground, wait_for

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import AllRefused
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.results.store import Store
from vod_migrate.run import control
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.shutdown import PRODUCTION


@pytest.fixture
def far_rig(database_url: str, connection: Connection, sandbox: Sandbox) -> Iterator[Rig]:
    """A rig with 50 ms to its database, and the waits of production."""
    with (
        DelayProxy(database_url, round_trip=0.05) as proxy,
        Store.open(proxy.url, connections=8, patience=30) as store,
    ):
        rig = Rig(store, connection, sandbox)
        rig.timings = PRODUCTION
        yield rig


def calls_by_second(sandbox: Sandbox) -> list[int]:
    counted = sandbox.counters()["RegisterMedia"]["accepted_per_second"]
    return [count for _, count in sorted((int(second), count) for second, count in counted.items())]


@pytest.mark.alone
def test_one_worker_makes_45_calls_a_second_with_50_ms_to_its_database(
    rig: Rig, far_rig: Rig, sandbox: Sandbox
) -> None:
    sandbox.generate(BUCKET, count=3_000, dirt=0)
    sandbox.settings(latency_ms=30)
    run = rig.prepare()
    rig.discover(run)
    far_rig.register(run)
    full = calls_by_second(sandbox)[2:-1]
    assert statistics.median(full) >= 45, full


def test_a_call_costs_at_most_two_commits_and_four_statements(
    rig: Rig, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.generate(BUCKET, count=1_500, dirt=0)
    sandbox.settings(quotas={"RegisterMedia": None})
    run = rig.prepare()
    rig.discover(run)
    rig.timings = replace(PRODUCTION, canary_lock=0.05)
    statements = 0
    execute = psycopg.Cursor.execute

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*arguments, **options)

    before = commits(rig)
    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    rig.register(run)
    monkeypatch.undo()
    calls = rig.calls()
    assert calls == 150
    assert statements <= 4 * calls, statements / calls
    assert commits(rig) - before <= 2 * calls, (commits(rig) - before) / calls


def commits(rig: Rig) -> int:
    rig.rows("select pg_stat_force_next_flush()")
    time.sleep(1.2)
    ((count,),) = rig.rows("select xact_commit::int from pg_stat_database where datname = current_database()")
    return int(count)


@pytest.mark.alone
def test_after_the_database_stood_still_for_five_seconds_no_second_has_more_than_fifty_calls(
    rig: Rig, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    wait = RateLimiter.wait

    def noted(limiter: RateLimiter) -> None:
        wait(limiter)
        left.append(time.monotonic())

    monkeypatch.setattr(RateLimiter, "wait", noted)
    sandbox.generate(BUCKET, count=3_000, dirt=0)
    sandbox.settings(quotas={"RegisterMedia": None}, latency_ms=30)
    run = rig.prepare(max_calls=10_000)
    rig.discover(run)
    worker = InBackground(rig.register, run)
    for table, files in (("quotas", 500), ("calls", 1_700)):
        wait_for(lambda files=files: len(sandbox.truth(BUCKET)) >= files, f"{files} files")  # type: ignore[misc]
        with psycopg.connect(rig.store.url) as connection:
            connection.execute(f"lock table vod_migrate.{table} in access exclusive mode".encode())
            time.sleep(5)
    assert worker.ended_within(120)
    assert len(sandbox.truth(BUCKET)) == 3_000
    # Counted where they leave: a sandbox that gets no processor for a moment accepts in a bunch what arrived in time.
    assert max(sum(start <= at < start + 1 for at in left) for start in left) <= 50


def test_settings_that_were_right_and_are_wrong_now_stop_the_run_with_everything_pending(
    rig: Rig, sandbox: Sandbox
) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"night-1/{number:03}.mp4")
    assert rig.run().counts.registered == 30
    for number in range(200):
        sandbox.put(BUCKET, f"night-2/{number:03}.mp4")
    sandbox.fault("error", api="RegisterMedia", code="InvalidTemplateGroupId", status=400)
    broken = rig.run()
    assert (type(broken.error), broken.state) == (AllRefused, "stopped")
    assert (broken.counts.failed, broken.counts.pending) == (0, 200)
    sandbox.clear_faults()
    assert rig.run().counts.registered == 200


def test_settings_that_break_in_the_middle_of_a_run_fail_no_file(rig: Rig, sandbox: Sandbox) -> None:
    for number in range(400):
        sandbox.put(BUCKET, f"{number:03}.mp4")
    rig.unlimited()
    run = rig.prepare(calls_per_second=30)
    rig.discover(run)
    worker = InBackground(rig.register, run)
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 100, "a hundred files")
    sandbox.fault("error", api="RegisterMedia", code="InvalidTemplateGroupId", status=400)
    # Thirty calls are split into single files, which is nineteen calls each.
    control.set_run_rate(rig.store, run.run_id, None, by="ann")
    assert worker.ended_within(60)
    assert isinstance(worker.raised, AllRefused)
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, summary.counts.failed) == ("stopped", 0)
    assert summary.counts.registered + summary.counts.pending + summary.counts.unknown == 400
    sandbox.clear_faults()
    assert rig.run().counts.pending == 0
    rig.assert_results_equal_truth()
