"""A person's word to a run under way: pause, cancel, resume, pace; with real threads, a real Postgres and the sandbox."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from rigging import BUCKET, put
from waiting import InBackground, wait_for

from vod_migrate.discover import unread_pages
from vod_migrate.errors import BadOption, BadSetting, Cancelled, Denied, Paused, VodMigrateError
from vod_migrate.run import control
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.shutdown import grace_seconds

WITHIN_SECONDS = 5.0


@pytest.mark.parametrize(
    ("word", "error", "state"), [(control.pause, Paused, "paused"), (control.cancel, Cancelled, "cancelled")]
)
def test_a_run_that_sends_ends_within_five_seconds_and_its_rest_stays_pending(
    rig: Any, sandbox: Sandbox, word: Any, error: type[VodMigrateError], state: str
) -> None:
    put(sandbox, 400)
    run = rig.prepare(calls_per_second=5)
    rig.discover(run)
    workers = [InBackground(rig.register, run, slot=slot) for slot in ("one", "two")]
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 30)
    began = time.monotonic()
    asked = word(rig.store, run.run_id, by="Maria")
    assert (asked.state, asked.stop_code) == ("running", state)
    assert all(worker.ended_within(WITHIN_SECONDS) for worker in workers)
    assert time.monotonic() - began < WITHIN_SECONDS
    assert [type(worker.raised) for worker in workers] == [error, error]
    calls = rig.calls()
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, type(summary.error)) == (state, error)
    assert "by Maria" in str(summary.error)
    assert f"{summary.counts.pending:,} objects left" in str(summary.error)
    assert summary.counts.settled + summary.counts.pending == 400
    assert rig.rows(
        "select stopped_by, (select count(*) from vod_migrate.workers where expires_at > now()) from vod_migrate.runs"
    ) == [("Maria", 0)]
    assert rig.calls() == calls
    rig.assert_results_equal_truth()
    assert rig.run().counts.pending == 0
    assert len(sandbox.truth(BUCKET)) == 400


WAITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a backoff and the breaker", {"kind": "http_503", "api": "RegisterMedia"}, {}),
    ("a pace of one call in a hundred seconds", {}, {"calls_per_second": 0.01}),
    ("a call that is never answered", {"kind": "timeout", "api": "RegisterMedia"}, {}),
]


@pytest.mark.parametrize(("fault", "options"), [case[1:] for case in WAITS], ids=[case[0] for case in WAITS])
def test_a_run_that_waits_ends_within_five_seconds_and_no_object_has_lost_an_attempt(
    rig: Any, sandbox: Sandbox, fault: dict[str, Any], options: dict[str, Any]
) -> None:
    put(sandbox, 300)
    if fault:
        sandbox.fault(**fault)
    run = rig.prepare(**options)
    rig.discover(run)
    worker = InBackground(rig.register, run)
    wait_for(lambda: rig.calls() >= 1)
    time.sleep(1.5)
    control.pause(rig.store, run.run_id, by="Maria")
    assert worker.ended_within(WITHIN_SECONDS)
    assert isinstance(worker.raised, Paused)
    assert finish(store=rig.store, run_id=run.run_id).state == "paused"
    assert rig.rows("select max(attempts), max(no_answers) from vod_migrate.work") == [(0, 0)]


def test_a_run_that_lists_ends_within_five_seconds_and_the_next_one_lists_the_rest(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.generate(BUCKET, count=5_000, dirt=0)
    real = unread_pages._asked

    def slow(*arguments: Any) -> Any:
        time.sleep(1.0)
        return real(*arguments)

    monkeypatch.setattr(unread_pages, "_asked", slow)
    run = rig.prepare()
    lister = InBackground(rig.discover, run)
    wait_for(lambda: bool(rig.rows("select 1 from vod_migrate.scans where page_no > 0")))
    control.pause(rig.store, run.run_id, by="Maria")
    assert lister.ended_within(WITHIN_SECONDS)
    assert isinstance(lister.raised, Paused)
    with pytest.raises(Paused):
        rig.discover(run)
    with pytest.raises(Paused):
        rig.register(run)
    summary = finish(store=rig.store, run_id=run.run_id)
    assert summary.state == "paused"
    assert "the listing did not end" in str(summary.error)
    assert rig.calls() == 0


def test_pausing_and_cancelling_again_change_nothing_and_cancelling_is_above_pausing(
    rig: Any, sandbox: Sandbox
) -> None:
    put(sandbox, 20)
    run = rig.prepare()
    rig.discover(run)
    assert [control.pause(rig.store, run.run_id, by=who).stop_message for who in ("Maria", "Wei")] == [
        "paused by Maria"
    ] * 2
    assert control.cancel(rig.store, run.run_id, by="Wei").stop_message == "cancelled by Wei"
    with pytest.raises(BadOption, match="is being cancelled"):
        control.pause(rig.store, run.run_id, by="Maria")
    assert finish(store=rig.store, run_id=run.run_id).state == "cancelled"
    assert control.cancel(rig.store, run.run_id, by="Maria").stop_message == "cancelled by Wei"
    with pytest.raises(BadOption, match=r"has ended already \(cancelled\)"):
        control.pause(rig.store, run.run_id, by="Maria")


def test_a_paused_run_can_be_cancelled_and_keeps_its_numbers(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 20)
    run = rig.prepare()
    rig.discover(run)
    rig.lapse(run)
    assert control.pause(rig.store, run.run_id, by="Maria").state == "paused", "nobody works on it, so it ends at once"
    before = rig.store.counts(run.run_id)
    assert control.pause(rig.store, run.run_id, by="Wei").stop_message == "paused by Maria"
    cancelled = control.cancel(rig.store, run.run_id, by="Wei")
    assert (cancelled.state, cancelled.summary["state"], cancelled.stop_message) == (
        "cancelled", "cancelled", "cancelled by Wei"
    )  # fmt: skip
    assert rig.store.counts(run.run_id) == before
    assert rig.run().counts.registered == 20, "the next run takes what a cancelled one left"


@pytest.mark.parametrize("word", [control.pause, control.cancel])
def test_a_run_that_has_ended_or_does_not_exist_is_said_so(rig: Any, sandbox: Sandbox, word: Any) -> None:
    put(sandbox, 1)
    done = rig.run()
    with pytest.raises(BadOption, match=r"has ended already \(succeeded\)"):
        word(rig.store, done.run_id, by="Maria")
    with pytest.raises(BadOption, match="there is no run 'nobody'"):
        word(rig.store, "nobody", by="Maria")
    assert rig.store.run(done.run_id).stop_code is None


def test_a_run_paused_when_nothing_is_left_is_a_success(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 5)
    run = rig.prepare()
    rig.discover(run)
    rig.register(run)
    control.pause(rig.store, run.run_id, by="Maria")
    assert rig.store.run(run.run_id).state == "succeeded"


@pytest.mark.parametrize(("grace", "unknown"), [("", True), ("30", False)])
def test_calls_under_way_at_a_signal_are_awaited_as_far_as_the_platform_grants_time(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, grace: str, unknown: bool
) -> None:
    put(sandbox, 100)
    monkeypatch.setenv("VOD_MIGRATE_GRACE_SECONDS", grace)
    run = rig.prepare()
    rig.discover(run)
    sandbox.settings(latency_ms=4_000)
    stop = threading.Event()
    worker = InBackground(rig.register, run, stop)
    wait_for(lambda: rig.calls() >= 1)
    calls, began = rig.calls(), time.monotonic()
    stop.set()
    assert worker.ended_within(15)
    waited = time.monotonic() - began
    # The call began a moment before it was seen.
    assert waited < 4 if unknown else waited > 3
    assert rig.calls() == calls, "nothing new is sent"
    counts = finish(store=rig.store, run_id=run.run_id).counts
    assert (counts.unknown > 0, counts.registered > 0) == (unknown, not unknown)
    assert counts.unknown + counts.pending + counts.registered == 100


def test_a_grace_that_is_no_number_of_seconds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("soon", "0", "601"):
        monkeypatch.setenv("VOD_MIGRATE_GRACE_SECONDS", given)
        with pytest.raises(BadSetting, match="VOD_MIGRATE_GRACE_SECONDS"):
            grace_seconds()


def test_an_account_that_is_denied_in_the_middle_stops_at_once_and_the_next_run_goes_on(
    rig: Any, sandbox: Sandbox
) -> None:
    put(sandbox, 400)
    run = rig.prepare(calls_per_second=20)
    rig.discover(run)
    workers = [InBackground(rig.register, run, slot=slot) for slot in ("one", "two")]
    wait_for(lambda: len(sandbox.truth(BUCKET)) >= 30)
    sandbox._do(lambda world: world.accounts.first.config.deny.append("vod:RegisterMedia"))
    calls = rig.calls()
    assert all(worker.ended_within(WITHIN_SECONDS) for worker in workers)
    assert {type(worker.raised) for worker in workers} == {Denied}
    assert rig.calls() - calls <= 25, "what one second brings, until the other worker has heard of it"
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.state, type(summary.error), summary.counts.failed) == ("stopped", Denied, 0)
    assert "allow vod:RegisterMedia" in str(summary.error)
    assert summary.counts.registered + summary.counts.pending == 400
    sandbox._do(lambda world: world.accounts.first.config.deny.clear())
    assert rig.run().counts.pending == 0
    assert len(sandbox.truth(BUCKET)) == 400
