"""What a run left is selected again under the file of the run that takes it over."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from nights import EVERYTHING
from planning import plan
from rigging import BUCKET, Rig

from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.run import control


def left(rig: Rig, keys: list[str], **content: Any) -> None:
    """A run that listed these keys and was cancelled."""
    for key in keys:
        rig.sandbox.put(BUCKET, key)
    run = rig.prepare(rig.migration(**content))
    rig.discover(run)
    rig.lapse(run)
    control.cancel(rig.store, run.run_id, by="Maria")


def test_what_an_earlier_run_left_is_selected_again_under_the_current_file(rig: Rig) -> None:
    left(rig, [f"public/{n}.mp4" for n in range(5)] + [f"private/{n}.mp4" for n in range(30)])
    summary = rig.run(rig.migration(select={"exclude": ["private/*"]}))
    assert (summary.state, summary.counts.registered, summary.counts.left_out) == ("succeeded", 5, {"excluded": 30})
    assert (summary.counts.leftovers, summary.counts.leftovers_left_out) == (5, {"excluded": 30})
    assert set(rig.sandbox.truth(BUCKET)) == {f"public/{n}.mp4" for n in range(5)}
    again = rig.run(rig.migration(select={"exclude": ["private/*"]}))
    assert again.counts.leftovers_left_out == {}, "named once"


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ({}, {"source": {"prefixes": ["b/"]}}, "outside_prefixes"),
        ({"select": {"hls": "all"}}, {}, "hls_segment"),
        ({}, {"select": {"min_size": 100}}, "too_small"),
        ({}, {"select": {"modified_before": "2001-01-01"}}, "too_new"),
    ],
)
def test_every_rule_of_the_current_file_holds_for_leftovers(
    rig: Rig, before: dict[str, Any], now: dict[str, Any], reason: str
) -> None:
    left(rig, ["a/list.m3u8", "a/1.ts", "a/2.ts"], **before)
    summary = rig.run(rig.migration(**now))
    assert reason in summary.counts.leftovers_left_out
    kept = {"a/list.m3u8"} if reason == "hls_segment" else set()
    assert set(rig.sandbox.truth(BUCKET)) == kept


def test_leftovers_of_another_date_belong_to_the_migration_as_well(rig: Rig) -> None:
    dated = rig.migration(source={"prefixes": ["in/{{ date }}/"]})
    rig.sandbox.put(BUCKET, "in/2026-03-01/a.mp4")
    run = rig.prepare(dated, local_date=dt.date(2026, 3, 1))
    rig.discover(run)
    rig.lapse(run)
    control.cancel(rig.store, run.run_id, by="Maria")
    night = rig.prepare(dated, local_date=dt.date(2026, 3, 2))
    rig.discover(night)
    rig.register(night)
    assert set(rig.sandbox.truth(BUCKET)) == {"in/2026-03-01/a.mp4"}


def test_a_try_out_that_was_cancelled_keeps_nothing_from_the_production_migration(rig: Rig) -> None:
    for number in range(12):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    trial = rig.prepare(rig.migration("trial"))
    rig.discover(trial)
    rig.lapse(trial)
    control.cancel(rig.store, trial.run_id, by="Maria")
    summary = rig.run(rig.migration("production"))
    assert (summary.counts.registered, summary.counts.owned_elsewhere) == (12, 0)


def test_what_a_narrowed_run_sends_no_longer_waits_for_a_later_one(rig: Rig) -> None:
    left(rig, [f"{number}.mp4" for number in range(5)])

    def told() -> tuple[int, int]:
        [line] = migrations_page(rig.store, readable=EVERYTHING).lines
        return line.registered, line.pending

    assert plan(rig, limit=2).work == 2
    assert told() == (0, 5), "a plan takes nothing away"
    assert rig.run(limit=2).counts.registered == 2
    assert told() == (2, 3)
    assert rig.run(prefixes=["4"]).counts.registered == 1
    last = rig.run()
    assert (last.counts.registered, last.counts.leftovers, last.counts.leftovers_left_out) == (2, 2, {})
    rig.assert_results_equal_truth()


def test_what_is_discarded_is_not_taken_over(rig: Rig) -> None:
    left(rig, ["a.mp4", "b.mp4"])
    (run,) = rig.store.runs()
    assert rig.store.discard(run.run_id) == 2
    rig.sandbox.delete(BUCKET, "a.mp4")
    summary = rig.run()
    assert (summary.counts.leftovers, summary.counts.registered) == (0, 1)


def test_a_run_that_failed_most_of_what_it_sent_is_not_green(rig: Rig) -> None:
    for number in range(3):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    rig.sandbox.fault("fail_files", key="[01].mp4")
    summary = rig.run()
    assert (summary.state, summary.counts.failed, summary.counts.registered) == ("failed", 2, 1)
    assert "2 of 3 files failed" in str(summary.error)
