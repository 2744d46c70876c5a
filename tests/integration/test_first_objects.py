"""The first objects of a migration are sent alone, from all over its source, and looked at before the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rigging import BUCKET, Rig, put

from vod_migrate.errors import FirstFailed, FirstReached, Interrupted
from vod_migrate.migration.model import Migration
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

FIRST, CANARY = 30, 10
SENT = FIRST + CANARY
OBJECTS = 120
LOOKS = "BatchGetMediaInfos"


def staged(rig: Rig, **first: Any) -> Migration:
    return rig.migration(
        source={"prefixes": ["0/", "1/", "2/", "later/"]},
        register={"template_group_id": DEFAULT_GROUP},
        first={"objects": FIRST, "timeout": "1h", **first},
    )


def fill(sandbox: Sandbox, count: int = OBJECTS, *, bad: Callable[[int], bool] = lambda _: False) -> None:
    for number in range(count):
        key = f"{number % 3}/{number:04}.mp4"
        sandbox.put(BUCKET, key, b"not a film" if bad(number) else None)


def until(what: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def looks(sandbox: Sandbox) -> int:
    return int(sandbox.counters().get(LOOKS, {}).get("requests", 0))


def first_state(rig: Rig) -> str:
    return str(rig.rows("select state from vod_migrate.firsts")[0][0])


def test_objects_from_all_over_the_source_are_sent_and_playable_before_the_rest(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox, 600)
    sandbox.settings(analysis_s=3600)

    def play() -> set[str]:
        until(lambda: looks(sandbox) > 6)
        sent = set(sandbox.truth(BUCKET))
        sandbox.settings(analysis_s=0)
        return sent

    with ThreadPoolExecutor(1) as other:
        playing = other.submit(play)
        summary = rig.run(staged(rig))
        sent = playing.result()
    assert summary.error is None
    assert len(sent) == SENT, "nothing else is sent meanwhile"
    assert all(sum(key.startswith(f"{prefix}/") for key in sent) > FIRST / 6 for prefix in range(3))
    # Not the first keys of each block either.
    assert sum(int(key[2:6]) > 300 for key in sent) > FIRST / 6
    rig.assert_results_equal_truth()
    [(scope, found)] = rig.rows("select scope, found from vod_migrate.verifications")
    assert (scope, found["counts"]) == ("first", {"playable": FIRST})
    assert first_state(rig) == "passed"

    # Only the first run of a migration is so.
    put(sandbox, 100, "later/{:03}.mp4")
    asked = looks(sandbox)
    assert rig.run(staged(rig)).counts.registered == 100
    assert looks(sandbox) == asked


def test_too_many_that_cannot_be_played_stop_the_run_and_the_next_one_tries_others(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox, bad=lambda number: number % 2 == 0)
    summary = rig.run(staged(rig, then="continue"))
    assert isinstance(summary.error, FirstFailed)
    assert (summary.state, summary.error.exit_code, first_state(rig)) == ("stopped", 5, "failed")
    assert "cannot be played" in str(summary.error)
    assert "InvalidParameter.ResourceContentBad" in str(summary.error)
    assert summary.counts.pending == OBJECTS - SENT
    before = set(sandbox.truth(BUCKET))
    assert len(before) == SENT

    again = rig.run(staged(rig))
    assert isinstance(again.error, FirstFailed)
    assert len(set(sandbox.truth(BUCKET)) - before) == FIRST
    # Its task in Airflow is cleared: it begins anew, too.
    with pytest.raises(FirstFailed):
        rig.register(rig.store.run(again.run_id))
    assert len(set(sandbox.truth(BUCKET)) - before) == 2 * FIRST

    for key in set(sandbox.expected(BUCKET)) - set(sandbox.truth(BUCKET)):
        sandbox.put(BUCKET, key)
    assert rig.run(staged(rig)).error is None
    rig.assert_results_equal_truth()


@pytest.mark.parametrize("then", ["ask", "stop"])
def test_the_rest_waits_for_a_person_or_for_the_next_run(rig: Rig, sandbox: Sandbox, then: str) -> None:
    fill(sandbox)
    summary = rig.run(staged(rig, then=then))
    assert isinstance(summary.error, FirstReached)
    assert (summary.state, summary.error.exit_code, summary.counts.pending) == ("paused", 0, OBJECTS - SENT)
    assert "VOD can play 30" in str(summary.error)
    assert ("vod-migrate resume nightly" in str(summary.error)) is (then == "ask")
    again = rig.run(staged(rig, then=then))
    if then == "stop":
        assert again.error is None
    else:
        # Nobody has said yes.
        assert isinstance(again.error, FirstReached)
        assert len(sandbox.truth(BUCKET)) == SENT
        resumed = rig.run(staged(rig, then=then), resume=again.run_id)
        assert resumed.error is None
    rig.assert_results_equal_truth()


def test_what_is_still_processed_when_the_time_is_over_is_no_failure_but_all_of_it_is_no_proof(
    rig: Rig, sandbox: Sandbox
) -> None:
    fill(sandbox)
    sandbox.settings(analysis_s=3600)
    summary = rig.run(staged(rig, timeout="1s"))
    assert isinstance(summary.error, FirstReached)
    assert "30 are still being processed" in str(summary.error)
    sandbox.settings(analysis_s=0)
    assert rig.run(staged(rig), resume=summary.run_id).error is None
    rig.assert_results_equal_truth()


def test_without_verify_only_the_registration_counts(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox, bad=lambda _: True)
    summary = rig.run(staged(rig, verify=False, then="stop"))
    assert isinstance(summary.error, FirstReached)
    assert (len(sandbox.truth(BUCKET)), looks(sandbox)) == (SENT, 0)
    assert rig.run(staged(rig, verify=False)).error is None


def test_a_worker_that_is_stopped_or_killed_on_the_way_loses_nothing_and_sends_no_more_than_the_first_objects(
    rig: Rig, sandbox: Sandbox
) -> None:
    fill(sandbox)
    sandbox.settings(analysis_s=3600)
    run = rig.prepare(staged(rig))
    rig.discover(run)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as other:
        working = other.submit(rig.register, run, stop)
        until(lambda: looks(sandbox) > 6)
        stop.set()
        with pytest.raises(Interrupted):
            working.result()
        assert len(sandbox.truth(BUCKET)) == SENT
        # Another worker of the run goes on, and another run of the migration when that one is dead.
        working = other.submit(rig.register, run, stop := threading.Event(), slot="two")
        asked = looks(sandbox)
        until(lambda: looks(sandbox) > asked + 3)
        stop.set()
        with pytest.raises(Interrupted):
            working.result()
        rig.lapse(run)
        sandbox.settings(analysis_s=0)
        assert rig.run(staged(rig)).error is None
    [(sent,)] = rig.rows("select count(*) from vod_migrate.objects where run_no = %s", run.run_no)
    assert sent == SENT
    rig.assert_results_equal_truth()


def test_another_run_of_the_migration_waits_for_the_first_objects(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox)
    sandbox.settings(analysis_s=3600)
    with ThreadPoolExecutor(2) as others:
        one = others.submit(rig.run, staged(rig))
        until(lambda: looks(sandbox) > 3)
        put(sandbox, 50, "later/{:03}.mp4")
        other = others.submit(rig.run, staged(rig))
        time.sleep(1)
        assert len(sandbox.truth(BUCKET)) == SENT
        sandbox.settings(analysis_s=0)
        assert one.result(60).error is None
        assert other.result(60).error is None
    rig.assert_results_equal_truth()


def test_of_several_workers_one_sends_the_first_objects_and_the_others_wait(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox)
    sandbox.settings(analysis_s=3600)
    run = rig.prepare(staged(rig))
    rig.discover(run)
    with ThreadPoolExecutor(3) as others:
        working = [others.submit(rig.register, run, slot=f"slot {number}") for number in range(3)]
        until(lambda: looks(sandbox) > 6)
        assert len(sandbox.truth(BUCKET)) == SENT
        sandbox.settings(analysis_s=0)
        assert [one.result(60) for one in working] == [None] * 3
    rig.assert_results_equal_truth()


def test_a_run_with_a_small_limit_and_a_migration_with_results_are_not_staged(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox)
    assert rig.run(staged(rig), limit=20).counts.registered == 20
    assert looks(sandbox) == 0
    assert rig.run(rig.migration()).counts.registered == OBJECTS - 20
    put(sandbox, 50, "later/{:03}.mp4")
    assert rig.run(staged(rig)).counts.registered == 50
    assert (looks(sandbox), rig.rows("select count(*) from vod_migrate.firsts")) == (0, [(0,)])


def test_a_source_that_is_no_larger_ends_as_any_other_and_one_that_is_empty_begins_later(
    rig: Rig, sandbox: Sandbox
) -> None:
    assert rig.run(staged(rig, then="ask")).state == "succeeded"
    put(sandbox, 40, "later/{:03}.mp4")
    assert rig.run(staged(rig, then="ask")).state == "succeeded"
    assert first_state(rig) == "passed"


def test_who_may_not_ask_is_told_which_permission_is_missing(rig: Rig, sandbox: Sandbox) -> None:
    fill(sandbox)
    sandbox.account(deny=[f"vod:{LOOKS}"])
    summary = rig.run(staged(rig))
    assert (summary.state, len(sandbox.truth(BUCKET))) == ("stopped", SENT)
    assert f"vod:{LOOKS}" in str(summary.error)
    sandbox.account(deny=[])
    assert rig.run(staged(rig)).error is None
    rig.assert_results_equal_truth()
