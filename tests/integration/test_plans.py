"""Plans against the sandbox: they change nothing, count what the run that follows counts, and say what would be sent."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from planning import plan
from rigging import BUCKET, Rig

from vod_migrate.errors import Interrupted, ManifestBroken, MostlyFailed
from vod_migrate.migration.model import Migration
from vod_migrate.plan.digest import counts_of
from vod_migrate.plan.model import Plan
from vod_migrate.plan.text import plan_markdown, plan_text
from vod_migrate.report.loader import load_report
from vod_migrate.report.status import status_rows
from vod_migrate.report.text import render_text
from vod_migrate.run.settle import Summary

STORED = (
    "select 'o', to_jsonb(o) from vod_migrate.objects o union all "
    "select 'w', to_jsonb(w) from vod_migrate.work w join vod_migrate.queues using (queue_no) where gate = 'open' union all "
    "select 't', to_jsonb(t) from vod_migrate.totals t union all "
    "select 'q', to_jsonb(q) from vod_migrate.quotas q where api = 'RegisterMedia'"
)


def stored(rig: Rig) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rig.rows(STORED))


def assert_equal(made: Plan, told: Summary) -> None:
    """The plan's numbers are those of the run."""
    ran, planned = told.counts.as_json(), counts_of(made).as_json()
    same = ("discovered", "left_out", "unchanged", "changed", "gone", "owned_elsewhere", "failed_before")
    assert {name: planned[name] for name in same} == {name: ran[name] for name in same}
    assert made.queued_elsewhere == told.counts.queued_elsewhere
    settled = told.counts.registered + told.counts.already_registered
    assert (made.to_send, made.would_fail) == (settled, told.counts.failed)
    assert made.work == made.new + made.again + made.leftovers + made.broken_rows


@pytest.mark.smoke
def test_a_plan_sends_nothing_changes_nothing_and_counts_what_the_run_counts(rig: Rig) -> None:
    rig.unlimited()
    rig.sandbox.generate(BUCKET, count=2_800, dirt=1, seed=3)
    for number in range(40):
        rig.sandbox.put(BUCKET, f"series/s{number % 4}/part {number // 4}.mp4")
        rig.sandbox.put(BUCKET, f"hls/{number}/seg.ts")
        rig.sandbox.put(BUCKET, f"hls/{number}/index.m3u8")
        rig.sandbox.put(BUCKET, f"refused/{number}/😀.mp4")
    migration = rig.migration(
        describe={"title": "{{ stem }}", "policies": {"title": "fail"}}, register={"max_request_bytes": 3_000}
    )
    before = stored(rig)
    made = plan(rig, migration)
    assert rig.calls() == 0
    assert stored(rig) == before

    told = rig.run(migration)
    assert told.error is None
    assert_equal(made, told)
    assert {one.reason for one in made.left_out} >= {"hls_segment", "extension", "empty"}
    failing = {one.code: one.count for one in made.failing}
    assert failing["title_emoji"] >= 40
    assert failing == dict(
        rig.rows("select code, count(*) from vod_migrate.objects where not registered group by code")
    )
    assert made.names.texts >= 10
    assert {one.text: one.count for one in made.names.samples}["index.m3u8"] >= 40
    assert made.batches.cut_short > 10
    assert sum(one.bytes for one in made.classes) == made.bytes
    assert any("😀" not in sample.key and "not ASCII" in sample.why for sample in made.samples)
    rig.assert_results_equal_truth()


def eventful(rig: Rig) -> Migration:
    """A migration whose next run meets every state that a result can be in."""
    migration = rig.migration(
        source={"prefixes": ["a/", "b/"]},
        describe={"title": "{{ stem }}", "policies": {"title": "fail"}},
        register={"retry_failed": 1},
    )
    for state in ("same", "changed", "gone", "returned"):
        for number in range(3):
            rig.sandbox.put(BUCKET, f"a/{state}/{number}.mp4")
    rig.sandbox.put(BUCKET, "a/failed/😀.mp4")
    rig.run(migration)
    for number in range(3):
        rig.sandbox.delete(BUCKET, f"a/returned/{number}.mp4")
    rig.run(migration)
    rig.sandbox.put(BUCKET, "a/failed/once more 😀.mp4")
    rig.run(migration)
    for number in range(3):
        rig.sandbox.put(BUCKET, f"a/returned/{number}.mp4")
        rig.sandbox.put(BUCKET, f"a/changed/{number}.mp4", b"another video")
        rig.sandbox.delete(BUCKET, f"a/gone/{number}.mp4")
        rig.sandbox.put(BUCKET, f"a/theirs/{number}.mp4")
    rig.run(rig.migration("theirs", source={"prefixes": ["a/theirs/"]}))
    # Left by a run that nobody works on any more: shown again, gone since, and outside of today's prefixes.
    for number in range(4):
        rig.sandbox.put(BUCKET, f"b/left/{number}.mp4")
        rig.sandbox.put(BUCKET, f"c/left/{number}.mp4")
    rig.sandbox.put(BUCKET, "c/left/😀.mp4")
    left = rig.prepare(migration, prefixes=["b/left/", "c/"])
    rig.discover(left)
    rig.lapse(left)
    rig.sandbox.delete(BUCKET, "b/left/3.mp4")
    rig.sandbox.put(BUCKET, "a/busy/1.mp4")
    rig.sandbox.put(BUCKET, "b/new/1.mp4")
    return migration


@pytest.mark.parametrize("options", [{}, {"mode": "all"}, {"prefixes": ["b/"]}, {"limit": 3}, {"mode": "failed"}])
def test_a_plan_meets_every_state_of_a_result_as_the_run_does(rig: Rig, options: dict[str, Any]) -> None:
    migration = eventful(rig)
    busy = rig.prepare(migration, prefixes=["a/busy/"])
    rig.discover(busy)
    rig.store.take_place(busy, slot="one", host="h")
    before = stored(rig)
    made = plan(rig, migration, **options)
    assert stored(rig) == before
    told = rig.run(migration, approve=made.digest, **options)
    assert type(told.error) is (MostlyFailed if options.get("mode") == "failed" else type(None))
    assert_equal(made, told)
    if not options:
        assert (made.unchanged, made.changed, made.owned_elsewhere, made.queued_elsewhere) == (6, 3, 3, 1)
        assert (made.failed_before, made.again, made.new, made.gone) == (1, 1, 1, 3)
        # Of what an earlier run left, three are shown again, one is gone, and five are outside of the prefixes.
        assert (made.leftovers, made.leftovers_left_out) == (3, 5)
    if options.get("mode") == "failed":
        assert made.prefixes == ()
        assert (made.again, made.would_fail) == (2, 2)


def test_a_plan_of_a_manifest_counts_its_broken_rows_and_its_repeated_ones(rig: Rig, tmp_path: Path) -> None:
    for number in range(1_200):
        rig.sandbox.put(BUCKET, f"{number:04}.mp4")
    rows = [f"{number:04}.mp4,5" for number in range(1_200)]
    rows += ["0000.mp4,5", "x.mp4,big", ",5", "oss://elsewhere/y.mp4,5"]
    path = tmp_path / "list.csv"
    path.write_text("key,size\n" + "\n".join(rows) + "\n", encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": str(path)}})
    made = plan(rig, migration)
    assert (made.listed, made.new, made.broken_rows) == (1_204, 1_200, 2)
    assert {one.reason: one.count for one in made.left_out} == {"duplicate": 1, "row_no_key": 1}
    assert {one.code: one.count for one in made.failing} == {"row_value": 1, "row_other_bucket": 1}
    told = rig.run(migration)
    assert (told.counts.registered, told.counts.failed) == (made.to_send, made.would_fail)
    again = plan(rig, migration)
    # A row that stands again on a later page is counted again: nothing is to be sent for it either way.
    assert (again.unchanged, again.broken_rows, again.new) == (1_201, 2, 0)


def test_an_hls_tree_of_10_000_segments_plans_to_its_playlists_only(rig: Rig) -> None:
    for show in range(10):
        for part in range(1_000):
            rig.sandbox.put(BUCKET, f"shows/{show}/720p/seg-{part:04}.ts", b"x")
        rig.sandbox.put(BUCKET, f"shows/{show}/720p/z-index.m3u8", b"x")
        rig.sandbox.put(BUCKET, f"shows/{show}/master.m3u8", b"x")
    made = plan(rig)
    assert (made.to_send, made.batches.calls) == (20, 2)
    assert {one.reason: one.count for one in made.left_out} == {"hls_segment": 10_000}
    assert all(sample.key.endswith(".m3u8") for sample in made.samples)


def test_a_folder_of_transport_streams_without_a_playlist_plans_to_all_of_them(rig: Rig) -> None:
    for number in range(1_500):
        rig.sandbox.put(BUCKET, f"recordings/{number:04}.ts", b"x")
    made = plan(rig)
    assert (made.to_send, made.left_out) == (1_500, ())


def test_categories_are_looked_up_and_not_made(rig: Rig) -> None:
    rig.sandbox.add_category("Shows")
    for number in range(30):
        rig.sandbox.put(BUCKET, f"s{number % 3}/{number}.mp4")
    content: dict[str, Any] = {"category": "Shows/{{ folder }}"}
    refused = plan(rig, rig.migration(describe=content))
    assert [(one.code, one.count) for one in refused.failing] == [("category_missing", 30)]
    migration = rig.migration(describe={**content, "categories": "create"})
    made = plan(rig, migration)
    assert (made.lookups.categories_to_make, made.lookups.category_samples) == (3, ("Shows/s0", "Shows/s1", "Shows/s2"))
    assert made.samples[0].metadata["CateId"] == "to be made: Shows/s0"
    assert "AddCategory" not in rig.sandbox.counters()
    assert_equal(made, rig.run(migration, approve=made.digest))
    assert rig.sandbox.counters()["AddCategory"]["requests"] == 3


@pytest.mark.parametrize("pages", [0, 2])
def test_a_plan_that_is_interrupted_leaves_nothing_behind(rig: Rig, pages: int) -> None:
    rig.sandbox.generate(BUCKET, count=4_000, dirt=0)
    stop = threading.Event()
    if pages == 0:
        stop.set()
    merged, met = rig.store.merge_page, 0

    def counted(*args: Any) -> Any:
        nonlocal met
        met += 1
        if met == pages:
            stop.set()
        return merged(*args)

    rig.store.merge_page = counted  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        plan(rig, stop=stop)
    for table in ("runs", "scans", "queues", "blocks", "work", "objects", "plans", "workers"):
        assert rig.rows(f"select count(*) from vod_migrate.{table}") == [(0,)]  # noqa: S608 - our own names


def test_a_source_that_cannot_be_read_is_said_and_nothing_is_saved(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(ManifestBroken, match=r"none\.csv"):
        plan(rig, rig.migration(source={"manifest": {"location": str(tmp_path / "none.csv")}}))
    assert rig.rows("select count(*) from vod_migrate.runs") == [(0,)]


def test_the_lowest_pace_counts_and_says_whose_it_is(rig: Rig) -> None:
    for number in range(95):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    assert plan(rig).rate.model_dump() == {"calls_per_second": 47.0, "set_by": "the account's rate"}
    rig.store.set_quota(rig.connection.account, "RegisterMedia", 20)
    capped = rig.migration(register={"calls_per_second": 5})
    made = [plan(rig), plan(rig, capped), plan(rig, capped, calls_per_second=2)]
    assert [(one.rate.calls_per_second, one.seconds) for one in made] == [(20, 0.5), (5, 2.0), (2, 5.0)]
    assert made[2].rate.set_by == "the run's calls_per_second"
    assert made[2].expected_end.utcoffset() == made[2].made_at.utcoffset() is not None
    assert len({one.digest for one in made}) == 3


def test_a_plan_tells_the_window_and_its_limits_and_ends_within_the_window(rig: Rig) -> None:
    for number in range(100):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    migration = rig.migration(window="01:00-01:01", register={"calls_per_second": 0.1}, pause_after={"objects": 50})
    made = plan(rig, migration)
    # 100 s of work, and a minute a night.
    assert (made.expected_end - made.made_at).total_seconds() > 12 * 3600
    assert (made.expected_end.hour, made.expected_end.minute) == (1, 0)
    assert (made.window, made.pause_after) == ("01:00\u201301:01 (Asia/Shanghai)", ("50 objects",))
    text = plan_text(made)
    assert "after 50 objects" in text
    assert made.runs == 3
    assert "after 3 runs, if it began then" in text
    always = plan(rig, migration, ignore_window=True)
    assert (always.window, (always.expected_end - always.made_at).total_seconds()) == (None, 100)


def test_a_plan_shows_in_status_and_report_and_counts_as_no_run_before_another(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "1.mp4")
    rig.sandbox.put(BUCKET, "notes.txt")
    made = plan(rig)
    (row,) = status_rows(rig.store)
    assert (row["state"], row["registered"], row["pending"]) == ("planned", 0, 1)
    text = render_text(load_report(rig.store, made.run_id))
    assert "Plan only, nothing was sent: 1 object would be." in text
    assert "notes.txt" in text
    told = rig.run()
    assert load_report(rig.store, told.run_id).previous is None


def test_the_cost_counts_the_requests_that_the_run_makes(rig: Rig) -> None:
    for number in range(11):
        rig.sandbox.put(BUCKET, f"f{number}.mp4", bytes(500_000))
    migration = rig.migration(prices={"oss_10k_requests": 10_000, "register_10k_calls": 10_000, "registered_gb": 2})
    made = plan(rig, migration)
    rig.sandbox.reset_counters()
    rig.run(migration)
    asked = {api: counted["requests"] for api, counted in rig.sandbox.counters().items()}
    assert made.cost is not None
    assert [line.amount for line in made.cost.lines[:2]] == [asked["ListObjects"], asked["RegisterMedia"]]
    shown = plan_text(made)
    assert "0.0055 GB registered × 2 = 0.011\n" in shown
    assert "Cost, by the prices in the file: 4.011 CNY" in shown
    assert "| cost | 4.011 CNY |" in plan_markdown(made)
