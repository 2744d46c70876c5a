"""Windows and brakes: a run ends as paused, exactly where it should, and the next one goes on."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rigging import BUCKET, put

from vod_migrate.errors import BrakeReached, Paused, VodMigrateError, WindowClosed
from vod_migrate.migration.window import Window
from vod_migrate.results.run import Run
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox

ZONE = ZoneInfo("Asia/Shanghai")


def fast(sandbox: Sandbox, rig: Any) -> None:
    sandbox.settings(quotas={"RegisterMedia": None})
    rig.store.set_quota("default", "RegisterMedia", 1_000)


def work(rig: Any, run: Run, *slots: str) -> list[VodMigrateError]:
    """Several workers of one run at once, and what ended them."""
    raised: list[VodMigrateError] = []

    def go(slot: str) -> None:
        try:
            rig.register(run, slot=slot)
        except VodMigrateError as error:
            raised.append(error)

    threads = [threading.Thread(target=go, args=(slot,)) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def test_max_objects_is_exact_over_several_workers_and_the_next_runs_send_the_rest(rig: Any, sandbox: Sandbox) -> None:
    fast(sandbox, rig)
    put(sandbox, 500)
    braked = rig.migration(pause_after={"objects": 203})
    sent = []
    for _ in range(3):
        run = rig.prepare(braked)
        rig.discover(run)
        raised = work(rig, run, "one", "two")
        summary = finish(store=rig.store, run_id=run.run_id)
        sent.append((len(sandbox.truth(BUCKET)), summary.state, summary.counts.pending))
        assert {type(error) for error in raised} <= {BrakeReached}
    assert sent == [(203, "paused", 297), (406, "paused", 94), (500, "succeeded", 0)]
    assert all(item.registrations == 1 for item in sandbox.truth(BUCKET).values())
    rig.assert_results_equal_truth()


def test_an_object_counts_once_however_often_it_is_sent(rig: Any, sandbox: Sandbox) -> None:
    fast(sandbox, rig)
    put(sandbox, 60)
    sandbox.fault("http_503", api="RegisterMedia", count=3)
    sandbox.fault("fail_files", key="f0000*.mp4", count=4)
    summary = rig.run(max_objects=40)
    assert isinstance(summary.error, BrakeReached)
    assert "limit of 40 objects" in str(summary.error)
    assert len(sandbox.truth(BUCKET)) == 36, "four of the 40 were refused each time"
    assert summary.counts.settled + 4 == 40, "four were refused once and wait for their second try"
    assert rig.run().counts.pending == 0
    assert len(sandbox.truth(BUCKET)) == 60


def test_a_run_that_needs_no_more_than_its_brakes_is_a_success(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 30)
    assert rig.run(max_objects=30, max_calls=3).state == "succeeded"


def test_max_calls_counts_every_call_even_a_throttled_one(rig: Any, sandbox: Sandbox) -> None:
    fast(sandbox, rig)
    put(sandbox, 200)
    sandbox.fault("throttle", api="RegisterMedia", count=2)
    summary = rig.run(rig.migration(pause_after={"calls": 100}), max_calls=7)
    assert (summary.state, summary.calls, rig.calls()) == ("paused", 7, 7), "the run's brake stands for the file's"
    assert summary.counts.registered == 50
    assert summary.counts.pending == 150


def test_a_run_whose_service_is_down_for_good_ends_when_its_minutes_are_over(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 50)
    sandbox.fault("http_503", api="RegisterMedia")
    run = rig.prepare(max_minutes=0.05)
    rig.discover(run)
    began = time.monotonic()
    assert [type(error) for error in work(rig, run, "one")] == [BrakeReached]
    assert time.monotonic() - began < 8
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, summary.counts.pending + summary.counts.unknown) == ("paused", 50)
    assert rig.rows("select max(attempts), max(no_answers) as no_answers from vod_migrate.work") == [(0, 0)]
    sandbox.clear_faults()
    assert rig.run().counts.registered == 50


def test_minutes_that_are_over_end_listing_too(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=3_000, dirt=0)
    sandbox.fault("throttle", api="ListObjects", skip=1)
    run = rig.prepare(max_minutes=0.04)
    with pytest.raises(BrakeReached, match="minutes in `pause_after`"):
        rig.discover(run)
    with pytest.raises(BrakeReached, match="minutes in `pause_after`"):
        rig.register(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "paused"


def closed_now() -> str:
    opens = dt.datetime.now(ZONE) + dt.timedelta(hours=3)
    return f"{opens:%H:%M}-{opens + dt.timedelta(hours=2):%H:%M}"


def open_now() -> str:
    opens = dt.datetime.now(ZONE) - dt.timedelta(hours=3)
    return f"{opens:%H:%M}\u2013{opens + dt.timedelta(hours=6):%H:%M}"


def test_outside_its_window_a_run_lists_and_sends_nothing_and_ends_as_paused(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 20)
    closed = rig.migration(window=closed_now())
    summary = rig.run(closed)
    assert isinstance(summary.error, WindowClosed)
    assert (summary.state, summary.counts.discovered, summary.counts.pending, rig.calls()) == ("paused", 20, 20, 0)
    assert "paused, 20 objects left: the window" in str(summary.error)
    assert "is closed until" in str(summary.error)
    assert rig.run(closed, ignore_window=True).counts.registered == 20


def test_inside_its_window_a_run_goes_on_as_usual(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 20)
    assert rig.run(rig.migration(window=open_now())).state == "succeeded"


def test_nothing_is_sent_once_the_window_has_closed(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sandbox, 600)
    run = rig.prepare(calls_per_second=10)
    rig.discover(run)
    closes = (dt.datetime.now(ZONE) + dt.timedelta(seconds=4)).replace(microsecond=0)
    window = Window(opens=(closes - dt.timedelta(hours=1)).time(), closes=closes.time(), zone=ZONE)
    monkeypatch.setattr(Run, "window", property(lambda _run: window))
    assert [type(error) for error in work(rig, run, "one", "two")] == [WindowClosed] * 2
    sent = rig.rows("select max(started_at), count(*) from vod_migrate.calls")
    assert sent[0][1] > 5, "the run did send before"
    assert sent[0][0] <= closes
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, summary.counts.unknown) == ("paused", 0), "calls under way were awaited"
    monkeypatch.undo()
    assert rig.run().counts.pending == 0


def test_a_run_that_is_paused_by_its_window_in_the_middle_of_the_listing_lists_to_the_end(
    rig: Any, sandbox: Sandbox
) -> None:
    sandbox.generate(BUCKET, count=2_500, dirt=0)
    run = rig.prepare(rig.migration(window=closed_now()))
    with pytest.raises(Paused):
        rig.register(run)
    rig.discover(run)
    assert finish(store=rig.store, run_id=run.run_id).counts.pending == 2_500


@pytest.mark.parametrize(
    ("stop_after", "says"),
    [
        ({"failures": 7}, "more than the 7 that `stop_after.failures`"),
        ({"failure_rate": 0.1, "min_outcomes": 20}, "10%"),
    ],
)
def test_too_many_failures_by_count_or_by_share_stop_a_run(
    rig: Any, sandbox: Sandbox, stop_after: dict[str, Any], says: str
) -> None:
    put(sandbox, 400)
    sandbox.fault("fail_files", key="f00[0-2]*.mp4")
    summary = rig.run(rig.migration(stop_after=stop_after), calls_per_second=12)
    assert summary.state == "stopped"
    assert says in str(summary.error)
    assert summary.counts.pending > 0


def test_failures_at_the_threshold_are_no_reason_to_stop(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 40)
    sandbox.fault("fail_files", key="f0000*.mp4")
    summary = rig.run(rig.migration(stop_after={"failures": 10}))
    assert (summary.state, summary.counts.failed) == ("succeeded", 10)


def test_a_rerun_can_be_narrowed_to_some_codes(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "proof.mp4")
    assert rig.run().counts.registered == 1
    put(sandbox, 30)
    sandbox.fault("fail_files")
    assert rig.run().counts.failed == 30
    with rig.store.connection() as connection:
        connection.execute("update vod_migrate.objects set code = 'no_answer' where key like 'f0000%%'")
        connection.execute("update vod_migrate.objects set code = 'no_code' where key = 'f00029.mp4'")
    sandbox.clear_faults()
    assert rig.run(mode="failed", codes=["no_answer", "InvalidParameter"]).counts.registered == 10
    assert rig.run(mode="failed", codes=["no_code"]).counts.registered == 1
    nothing = rig.run(mode="failed", codes=["Throttling"])
    assert (nothing.state, nothing.calls) == ("succeeded", 0)
    assert rig.run(mode="failed").counts.registered == 19
