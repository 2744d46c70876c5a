"""A second listing costs what has changed: unchanged ranges are neither read nor merged, and the numbers are those of a full one."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from rigging import BUCKET, Rig, put
from store_helpers import a_call, registered

from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover import source
from vod_migrate.migration.model import Migration
from vod_migrate.results.repairs import FactRead
from vod_migrate.results.scan import summed
from vod_migrate.results.scans import Scans
from vod_migrate.run.parts import Parts
from vod_migrate.run.settle import Summary, finish

PAGE = 10


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of ten keys, so that a bucket of fifty has five ranges."""
    unread = BucketClient.list_unread

    def few(self: BucketClient, prefix: str, *, most: int, **where: Any) -> Any:
        return unread(self, prefix, most=min(most, PAGE), **where)

    monkeypatch.setattr(BucketClient, "list_unread", few)
    monkeypatch.setattr(source, "PAGE_KEYS", PAGE)


@pytest.fixture
def merged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many objects each merged page had."""
    sizes: list[int] = []
    merge = Scans.merge_page

    def counting(self: Scans, run: Any, place: Any, scan: Any, page: Any) -> Any:
        after = merge(self, run, place, scan, page)
        sizes.append(page.listed)
        return after

    monkeypatch.setattr(Scans, "merge_page", counting)
    return sizes


@pytest.fixture
def filled(rig: Rig, merged: list[int]) -> Rig:
    """Fifty registered objects in five ranges."""
    put(rig.sandbox, 50)
    rig.run()
    merged.clear()
    return rig


def told(summary: Summary) -> dict[str, Any]:
    return {name: value for name, value in summary.counts.as_json().items() if value}


def would(rig: Rig, migration: Migration | None = None) -> dict[str, Any]:
    """What a run would find, as its plan counts it."""
    run = rig.prepare(migration, dry_run=True)
    Parts(store=rig.store, connection=rig.connection, run=run, stop=threading.Event()).scanner(patience=0.0).run()
    scans = rig.store.scans(run)
    found: dict[str, Any] = {"listed": sum(scan.listed for scan in scans), "counts": {}, "left_out": {}}
    for scan in scans:
        found["counts"] = {name: count for name, count in summed(found["counts"], scan.counts).items() if count}
        found["left_out"] = summed(found["left_out"], scan.left_out)
        found |= {scan.prefix: (scan.selected, scan.fingerprint, scan.notes)}
    return found


def finds_the_same(rig: Rig, migration: Migration | None = None) -> bool:
    """Whether a listing by what is known finds what a listing of everything does."""
    by_ranges = would(rig, migration)
    rig.rows("update vod_migrate.ranges set rules = '' returning 1")
    everything = would(rig, migration)
    return by_ranges == everything


def test_a_listing_in_which_nothing_changed_merges_only_its_empty_end(filled: Rig, merged: list[int]) -> None:
    for name in ("poster.jpg", "x/", "._f.mp4"):
        filled.sandbox.put(BUCKET, name, b"x")
    filled.run()
    merged.clear()
    filled.sandbox.reset_counters()
    ((ranges,),) = filled.rows("select count(*) from vod_migrate.ranges")
    again = filled.run()
    assert merged == [0]
    assert told(again) == {
        "discovered": 53,
        "unchanged": 50,
        "left_out": {"extension": 1, "folder_marker": 1, "hidden": 1},
    }
    assert filled.sandbox.counters()["ListObjects"]["requests"] == ranges + 1, "and what lies behind the last"
    assert finds_the_same(filled)


def test_a_first_listing_at_guessed_keys_leaves_whole_ranges(rig: Rig, merged: list[int]) -> None:
    rig.sandbox.generate(BUCKET, count=200, seed=7)
    run = rig.prepare()
    rig.sandbox.reset_counters()
    rig.discover(run)
    found = len(rig.sandbox.expected(BUCKET))
    assert rig.store.counts(run.run_id).discovered == sum(merged) == found
    assert rig.sandbox.counters()["ListObjects"]["requests"] > -(-found // PAGE) + 1, "it was cut"
    assert min(merged) >= PAGE / 2
    assert rig.rows("select sum(listed), count(*) from vod_migrate.ranges") == [(found, len(merged))]


def test_only_the_ranges_around_what_changed_are_merged(filled: Rig, merged: list[int]) -> None:
    filled.sandbox.put(BUCKET, "f00012a.mp4")
    filled.sandbox.delete(BUCKET, "f00039.mp4")
    filled.sandbox.put(BUCKET, "g.mp4")
    summary = filled.run()
    assert merged == [5, 6, 9, 1]
    assert told(summary) == {"discovered": 51, "unchanged": 49, "registered": 2, "gone": 1}
    assert filled.results()["f00039.mp4"][0] == "gone"


def test_what_is_gone_from_the_edges_of_ranges_is_found(filled: Rig) -> None:
    edges = ["f00000.mp4", "f00009.mp4", "f00010.mp4", "f00029.mp4", *(f"f000{number}.mp4" for number in range(30, 50))]
    for key in edges:
        filled.sandbox.delete(BUCKET, key)
    assert filled.run().counts.gone == len(edges)
    assert {key for key, (state, *_) in filled.results().items() if state == "gone"} == set(edges)
    filled.sandbox.put(BUCKET, "f00029.mp4")
    assert told(filled.run()) == {"discovered": 50 - len(edges) + 1, "unchanged": 50 - len(edges) + 1}
    assert filled.results()["f00029.mp4"][0] == "registered"


def test_a_range_with_a_failed_object_is_merged_until_it_is_not_tried_again(rig: Rig, merged: list[int]) -> None:
    put(rig.sandbox, 20)
    rig.run()
    put(rig.sandbox, 1, "z{}.mp4")
    rig.sandbox.fault("fail_files", keys="z0*")
    failing = rig.migration(register={"retry_failed": 1})
    rig.run(failing)
    for tried in (1, 0):
        merged.clear()
        summary = rig.run(failing)
        assert (summary.counts.failed, 0 < sum(merged) < 20) == (tried, bool(tried))
    assert told(summary)["failed_before"] == 1
    rig.sandbox.clear_faults()
    assert rig.run(failing, mode="failed").counts.registered == 1
    assert told(rig.run(failing)) == {"discovered": 21, "unchanged": 21}


def test_work_that_a_run_left_is_in_no_range_that_is_passed(rig: Rig, merged: list[int]) -> None:
    put(rig.sandbox, 50)
    assert rig.run(max_objects=20).counts.pending > 0
    merged.clear()
    assert told(rig.run())["registered"] > 0
    rig.assert_results_equal_truth()
    merged.clear()
    assert told(rig.run()) == {"discovered": 50, "unchanged": 50}
    assert merged == [0]


def test_discarded_work_is_queued_again(rig: Rig) -> None:
    put(rig.sandbox, 30)
    paused = rig.run(max_objects=10)
    assert rig.store.discard(paused.run_id) == 20
    rig.run()
    rig.assert_results_equal_truth()
    assert len(rig.sandbox.truth(BUCKET)) == 30


def test_another_file_is_a_listing_of_everything(filled: Rig, merged: list[int]) -> None:
    strict = filled.migration(select={"exclude": ["f0001*"]})
    assert told(filled.run(strict)) == {"discovered": 50, "unchanged": 40, "left_out": {"excluded": 10}}
    assert sum(merged) == 50
    assert told(filled.run(strict)) == {"discovered": 50, "unchanged": 40, "left_out": {"excluded": 10}}
    assert sum(merged) == 50


def test_mode_all_sends_what_has_not_changed(filled: Rig) -> None:
    filled.sandbox.reset_counters()
    assert filled.run(mode="all").counts.already_registered == 50
    assert told(filled.run()) == {"discovered": 50, "unchanged": 50}


def test_what_a_narrowed_run_found_in_between_is_judged_again(filled: Rig) -> None:
    filled.sandbox.put(BUCKET, "f00012a.mp4")
    assert filled.run(prefixes=["f00012"]).counts.registered == 1
    filled.sandbox.delete(BUCKET, "f00012a.mp4")
    assert told(filled.run()) == {"discovered": 50, "unchanged": 50, "gone": 1}


def test_facts_that_were_changed_by_hand_are_met_again(filled: Rig) -> None:
    ((settled,),) = filled.rows("select settled_at from vod_migrate.objects where key = 'f00025.mp4'")
    run = filled.prepare()
    assert filled.store.forget_facts(run, [FactRead(key="f00025.mp4", settled_at=settled)]) == 1
    filled.lapse(run)
    assert told(filled.run())["already_registered"] == 1
    assert finds_the_same(filled)


def test_a_migration_meets_what_was_handed_over_to_it(filled: Rig) -> None:
    other = filled.migration("other")
    for _ in range(2):
        assert told(filled.run(other)) == {"discovered": 50, "owned_elsewhere": 50}
    filled.store.transfer("default", "nightly", "other")
    assert told(filled.run(other)) == {"discovered": 50, "unchanged": 50}
    assert told(filled.run()) == {"discovered": 50, "owned_elsewhere": 50}


def test_a_playlist_that_goes_makes_media_of_what_it_named(rig: Rig, merged: list[int]) -> None:
    for number in range(25):
        rig.sandbox.put(BUCKET, f"b/seg-{number:03}.ts", b"\x47" + bytes(187))
    put(rig.sandbox, 20, "a/{:03}.mp4")
    put(rig.sandbox, 20, "c/{:03}.mp4")
    names = "".join(f"#EXTINF:4,\nseg-{number:03}.ts\n" for number in range(25))
    rig.sandbox.put(BUCKET, "b/x.m3u8", f"#EXTM3U\n{names}#EXT-X-ENDLIST\n".encode())
    first = rig.run()
    assert first.counts.left_out == {"hls_segment": 25}
    rig.run()
    merged.clear()
    assert told(rig.run()) == {"discovered": 66, "unchanged": 41, "left_out": {"hls_segment": 25}}
    assert merged == [0]
    rig.sandbox.delete(BUCKET, "b/x.m3u8")
    assert rig.run().counts.registered == 25
    assert sum(merged) < 66
    rig.sandbox.put(BUCKET, "b/x.m3u8", f"#EXTM3U\n{names}#EXT-X-ENDLIST\n".encode())
    assert told(rig.run())["left_out"] == {"hls_segment": 25}
    assert finds_the_same(rig)


def test_a_range_that_fell_in_doubt_while_it_was_asked_for_is_read(
    filled: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    passing, doubted = Scans.pass_ranges, []

    def first_doubted(self: Scans, run: Any, place: Any, scan: Any, ranges: Any, *, cursor: str) -> Any:
        if not doubted:
            doubted.append(
                filled.rows("update vod_migrate.ranges set waiting = null where until = 'f00029.mp4' returning 1")
            )
        return passing(self, run, place, scan, ranges, cursor=cursor)

    monkeypatch.setattr(Scans, "pass_ranges", first_doubted)
    assert told(filled.run()) == {"discovered": 50, "unchanged": 50}
    assert doubted


def test_a_listing_that_was_killed_between_ranges_goes_on_there(filled: Rig) -> None:
    for key in ("f00015a.mp4", "f00035a.mp4"):
        filled.sandbox.put(BUCKET, key)
    run, merge = filled.prepare(), Scans.merge_page

    class Killed(BaseException):
        pass

    def dying(*arguments: Any) -> Any:
        merge(*arguments)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scans, "merge_page", dying)
        with pytest.raises(Killed):
            filled.discover(run)
    filled.discover(run)
    filled.register(run)
    counts = filled.store.counts(run.run_id)
    assert (counts.discovered, counts.unchanged, counts.registered, counts.gone) == (52, 50, 2, 0)


def test_a_plan_goes_by_ranges_and_leaves_them_as_they_are(filled: Rig, merged: list[int]) -> None:
    put(filled.sandbox, 1, "new{}.mp4")
    ranges = filled.rows("select * from vod_migrate.ranges order by until")
    assert would(filled)["counts"] == {"queued": 1, "unchanged": 50}
    assert merged == [1]
    assert filled.rows("select * from vod_migrate.ranges order by until") == ranges
    assert told(filled.run()) == {"discovered": 51, "unchanged": 50, "registered": 1}


def test_a_late_answer_about_an_object_that_has_gone_is_met_by_the_next_listing(rig: Rig) -> None:
    put(rig.sandbox, 20)
    dead = rig.prepare()
    rig.discover(dead)
    place = rig.store.take_place(dead, slot="one", host="h")
    late = rig.store.claim(dead, place).works[0].key
    rig.lapse(dead)
    rig.sandbox.delete(BUCKET, late)
    assert rig.run().counts.registered == 19
    call = a_call()
    rig.store.record(dead, place, [call], [registered(late, call)])
    assert rig.results()[late][0] == "registered"
    assert rig.run().counts.gone == 1
    assert finds_the_same(rig)


def test_an_object_that_another_run_still_sends_when_its_range_is_merged_is_met_by_the_next_listing(
    filled: Rig,
) -> None:
    filled.sandbox.put(BUCKET, "f00012a.mp4")
    sending = filled.prepare()
    filled.discover(sending)
    place = filled.store.take_place(sending, slot="one", host="h")
    (work,) = filled.store.claim(sending, place).works
    filled.sandbox.delete(BUCKET, work.key)
    assert told(filled.run()) == {"discovered": 50, "unchanged": 50}
    call = a_call()
    filled.store.record(sending, place, [call], [registered(work.key, call)])
    assert filled.run().counts.gone == 1
    assert finds_the_same(filled)


def test_an_object_that_changed_before_it_was_sent_as_a_leftover_counts_as_changed_from_then_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(rig.sandbox, 5)
    first = rig.prepare()
    rig.discover(first)
    rig.lapse(first)
    finish(store=rig.store, run_id=first.run_id)
    rig.sandbox.put(BUCKET, "f00003.mp4", b"new")
    run = rig.prepare()
    place = rig.store.take_place(run, slot="one", host="h")
    unread, held = BucketClient.list_unread, list[str]()

    def claimed_first(*given: Any, **where: Any) -> Any:
        held.extend(work.key for work in rig.store.claim(run, place).works)
        return unread(*given, **where)

    monkeypatch.setattr(BucketClient, "list_unread", claimed_first)
    rig.discover(run)
    call = a_call()
    assert rig.store.record(run, place, [call], [registered(key, call) for key in held]) == 5
    rig.store.leave(run, place)
    assert finish(store=rig.store, run_id=run.run_id).state == "succeeded"
    assert told(rig.run()) == {"discovered": 5, "unchanged": 4, "changed": 1}
    assert finds_the_same(rig)


def test_an_object_that_comes_back_with_other_content_counts_as_changed_by_any_listing(filled: Rig) -> None:
    filled.sandbox.delete(BUCKET, "f00003.mp4")
    assert filled.run().counts.gone == 1
    filled.sandbox.put(BUCKET, "f00003.mp4", b"new")
    for _ in range(2):
        assert told(filled.run()) == {"discovered": 50, "unchanged": 49, "changed": 1}
    assert finds_the_same(filled)
    assert filled.results()["f00003.mp4"][0] == "registered"
