"""Three books held against each other: what is read, what is repaired, and what a broken reconciliation leaves. Each kind: test_drift.py."""

from __future__ import annotations

import csv
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from comparisons import aged, compared, differences, twin
from rigging import BUCKET, Rig, put
from shell import MIGRATION, Shell

from vod_migrate.audit.drift import REPAIRABLE, Drift, Judgment
from vod_migrate.audit.library import LibraryWalk
from vod_migrate.audit.media_states import MediaStates
from vod_migrate.audit.reconciliation import Extent
from vod_migrate.errors import Denied, Interrupted, RequestRefused, SourceDenied
from vod_migrate.media import MediaObject
from vod_migrate.report.loader import load_report
from vod_migrate.results.books import Stretch
from vod_migrate.results.repairs import FoundMedia

OBJECTS = 7
KEY = "采访 + 7%25 🎬.mp4"


def calls(rig: Rig) -> dict[str, int]:
    """The calls that have arrived since the counters were reset, by API."""
    return {api: int(told["requests"]) for api, told in rig.sandbox.counters().items() if told["requests"]}


def lose_the_database(rig: Rig) -> None:
    """Nothing is known any more."""
    with rig.store.connection() as connection:
        connection.execute(
            "truncate vod_migrate.objects, vod_migrate.events, vod_migrate.totals, vod_migrate.counts, vod_migrate.calls, "
            "vod_migrate.sources, vod_migrate.migrations, vod_migrate.runs, vod_migrate.queues"
        )


def test_the_calls_are_as_few_as_can_be_and_the_balance_names_them(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=230, dirt=0)
    rig.run()
    rig.sandbox.put(BUCKET, "new.mp4")
    rig.sandbox.reset_counters()
    found = compared(rig)
    assert calls(rig) == {
        "ListObjects": 1 + 1 + 1,  # may it be listed at all, and is there nothing after the end?
        "BatchGetMediaInfos": -(-230 // 20),
        "SearchMedia": 3 + 1,  # of video and of audio
    }
    assert found.balance.calls == {"ListObjects": 3, "BatchGetMediaInfos": 12, "SearchMedia": 4}
    assert (found.balance.listed, found.balance.registered, found.balance.asked) == (231, 230, 230)
    assert differences(found) == {"new": 1}


def test_an_empty_database_is_rebuilt_and_a_run_then_sends_nothing(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=320, dirt=0)
    rig.sandbox.put(BUCKET, KEY)
    rig.sandbox.put(BUCKET, "song.mp3")
    before = rig.run()
    assert before.counts.registered == 322
    media = rig.results()
    lose_the_database(rig)
    rig.sandbox.reset_counters()
    found = compared(rig, Drift.NOT_RECORDED, apply=True)
    assert (found.planned, found.left) == (Counter({Drift.NOT_RECORDED: 322}), 0)
    assert calls(rig) == {"ListObjects": 3, "SearchMedia": 4 + 1, "BatchGetMediaInfos": 17}
    assert rig.results() == media
    rig.assert_results_equal_truth()
    again = rig.run()
    assert (rig.calls(), again.counts.unchanged, again.state) == (0, 322, "succeeded")
    assert differences(compared(rig)) == {}
    assert rig.rows("select what, count(*) from vod_migrate.events group by what") == [("imported", 322)]
    assert rig.rows("select state, sum(objects)::int from vod_migrate.totals group by state") == [("registered", 322)]


def test_an_object_that_had_failed_is_imported_once_somebody_else_has_registered_it(rig: Rig) -> None:
    put(rig.sandbox, OBJECTS)
    rig.sandbox.put(BUCKET, KEY)
    rig.sandbox.fault("fail_files", rate=1, keys=KEY)
    rig.run()
    rig.sandbox.import_media(BUCKET)
    assert differences(compared(rig, Drift.NOT_RECORDED, apply=True)) == {"not_recorded": 1}
    rig.assert_results_equal_truth()
    assert rig.rows(
        "select state, sum(objects)::int from vod_migrate.totals group by state having sum(objects) > 0"
    ) == [("registered", OBJECTS + 1)]


def test_of_two_media_of_one_file_the_oldest_is_imported_and_the_other_one_named(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, KEY)
    older = twin(rig, KEY)
    rig.sandbox.settings(fast_forward_s=60)
    rig.sandbox.import_media(BUCKET)
    younger = rig.sandbox.truth(BUCKET)[KEY].media_id
    seen: list[Judgment] = []
    compared(rig, Drift.NOT_RECORDED, apply=True, each=seen.append)
    assert [(one.drift, one.media_id, one.detail) for one in seen] == [
        (Drift.NOT_RECORDED, older, ""),
        (Drift.SECOND_MEDIA, younger, f"beside {older}"),
    ]
    assert rig.results() == {KEY: ("registered", older, None)}


def test_what_a_repair_does_is_in_the_history_of_the_object(rig: Rig, shell: Shell) -> None:
    for key in ("gone.mp4", "deleted.mp4"):
        rig.sandbox.put(BUCKET, key)
    rig.run()
    aged(rig)
    media_id = rig.sandbox.truth(BUCKET)["deleted.mp4"].media_id
    rig.sandbox.delete(BUCKET, "gone.mp4")
    rig.sandbox.delete_media(BUCKET, "deleted.mp4")
    rig.sandbox.put(BUCKET, KEY)
    rig.sandbox.import_media(BUCKET, prefix=KEY)
    before = rig.rows("select max(run_id) from vod_migrate.runs")
    compared(rig, *REPAIRABLE, apply=True)
    assert [(json.loads(shell.run("report", "nightly", "--json").stdout)["run"]["run_id"],)] == before
    assert f"run {before[0][0]} (succeeded) has nothing left" in shell.run("resume", "nightly").stderr
    after = load_report(rig.store, rig.run().run_id)
    assert after.previous is not None
    assert [(after.previous.run_id,)] == before  # a run that only repaired is none to compare with
    for key, told in (
        (KEY, ("imported",)),
        ("gone.mp4", ("no longer in the bucket",)),
        ("deleted.mp4", ("registered, call successful", "forgotten", f"MediaId {media_id}")),
    ):
        story = shell.run("explain", f"{BUCKET}/{key}").stdout
        assert all(text in story for text in told), story


def test_a_part_is_drawn_by_its_seed_and_its_confidence_is_stated_in_objects(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=300, dirt=0)
    rig.run()
    aged(rig)
    extent = Extent(millionths=200_000, seed=7, library=False)
    rig.sandbox.reset_counters()
    found = compared(rig, extent=extent)
    asked = found.balance.asked
    assert 30 <= asked <= 120
    assert calls(rig) == {"ListObjects": 2, "BatchGetMediaInfos": -(-asked // 20)}
    assert found.balance.counts == {Drift.SAME: asked, Drift.NOT_SAMPLED: 300 - asked}
    none = found.balance.most_differing
    assert 300 * 2.5 / asked <= none <= 300 * 3.1 / asked
    keys = list(rig.sandbox.truth(BUCKET))
    for key in keys[150:180]:
        rig.sandbox.put(BUCKET, key)
    changed = compared(rig, extent=extent).balance
    assert (changed.counts[Drift.SIZE_CHANGED], changed.asked_and_differ) == (30, 0)  # known of all, drawn or not
    for key in keys[:150]:
        rig.sandbox.delete_media(BUCKET, key)
    half = compared(rig, extent=extent).balance
    assert 0 < half.counts[Drift.MEDIA_DELETED] == half.asked_and_differ < asked == half.asked
    assert 110 <= half.most_differing < 300


def test_a_media_that_was_registered_a_moment_ago_is_not_taken_for_deleted(rig: Rig) -> None:
    put(rig.sandbox, 3)
    rig.run()
    rig.sandbox.settings(seen_after_ms=60_000)
    assert differences(compared(rig)) == {"processing": 3}


def test_only_what_the_prefixes_and_the_selection_name_is_compared(rig: Rig) -> None:
    for key in ("in/a.mp4", "in/b.txt", "in/private/c.mp4", "out/d.mp4"):
        rig.sandbox.put(BUCKET, key)
    rig.sandbox.import_media(BUCKET)
    migration = rig.migration(source={"prefixes": ["in/"]}, select={"exclude": ["in/private/*"]})
    found = compared(rig, Drift.NOT_RECORDED, apply=True, migration=migration)
    assert differences(found) == {"not_recorded": 1}
    assert set(rig.results()) == {"in/a.mp4"}
    assert differences(compared(rig, migration=migration)) == {}
    rig.sandbox.delete(BUCKET, "in/a.mp4")
    assert differences(compared(rig, migration=migration, prefixes=["in/b"])) == {}
    assert differences(compared(rig, migration=migration)) == {"gone": 1}


def test_an_emptied_bucket_is_gone_to_its_last_object_and_is_taken_back(rig: Rig) -> None:
    put(rig.sandbox, 30)
    rig.run()
    keys = list(rig.sandbox.truth(BUCKET))
    for key in keys:
        rig.sandbox.delete(BUCKET, key)
    assert differences(compared(rig, Drift.GONE, apply=True)) == {"gone": 30}
    assert {state for state, _, _ in rig.results().values()} == {"gone"}
    found = compared(rig)
    assert (differences(found), found.balance.counts) == ({}, {Drift.KNOWN_GONE: 30})
    put(rig.sandbox, 30)
    assert differences(compared(rig, Drift.RETURNED, apply=True)) == {"returned": 30}
    rig.assert_results_equal_truth()


def test_what_an_earlier_walk_has_found_and_vod_no_longer_has_is_not_imported(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, KEY)
    rig.sandbox.import_media(BUCKET)
    assert differences(compared(rig)) == {"not_recorded": 1}
    rig.sandbox.delete_media(BUCKET, KEY)
    assert differences(compared(rig, Drift.NOT_RECORDED, apply=True)) == {"new": 1}


def test_an_object_that_came_back_after_its_page_was_listed_is_not_gone(rig: Rig) -> None:
    put(rig.sandbox, 1)
    rig.run()
    (key,) = rig.sandbox.truth(BUCKET)
    rig.sandbox.delete(BUCKET, key)
    rig.run()
    put(rig.sandbox, 1)
    rig.run()
    aged(rig)
    shelf = rig.store.shelf("default", "nightly", BUCKET)

    def missing(age: float) -> list[str]:
        stretch = Stretch(prefix="", after="", until=None, listed=[], age=age)
        return [fact.key for fact in rig.store.facts_not_listed(shelf, stretch)]

    assert (missing(60), missing(0)) == ([], [key])


def test_a_fact_that_was_settled_meanwhile_is_left_alone(rig: Rig) -> None:
    put(rig.sandbox, 2)
    rig.run()
    aged(rig)
    rig.sandbox.delete_media(BUCKET, "f00000.mp4")
    rig.sandbox.delete_media(BUCKET, "f00001.mp4")

    def settle(judgment: Judgment) -> None:
        if judgment.key == "f00001.mp4":
            rig.rows("update vod_migrate.objects set settled_at = now() where key = 'f00001.mp4' returning 1")

    found = compared(rig, Drift.MEDIA_DELETED, apply=True, each=settle)
    assert found.repaired is not None
    assert (found.planned[Drift.MEDIA_DELETED], found.repaired.done[Drift.MEDIA_DELETED]) == (2, 1)
    assert (found.left, set(rig.results())) == (1, {"f00001.mp4"})


def test_an_import_takes_no_media_id_from_another_object_and_changes_no_registered_one(rig: Rig) -> None:
    put(rig.sandbox, 2)
    rig.run()
    before = rig.results()
    held = before["f00000.mp4"][1]
    run = rig.prepare()

    def imported(key: str, media_id: str | None) -> int:
        found = MediaObject(bucket=BUCKET, key=key, size=1, etag="E", last_modified=None)
        return rig.store.import_media(run, [FoundMedia(object=found, media_id=media_id or "")])

    assert (imported("f00009.mp4", held), imported("f00001.mp4", "0" * 32)) == (0, 0)
    assert rig.results() == before
    assert imported("f00009.mp4", "0" * 32) == 1
    assert imported("f00009.mp4", "0" * 32) == 0
    assert rig.rows("select sum(objects)::int from vod_migrate.totals") == [(3,)]


@pytest.mark.parametrize(
    ("denied", "counts"),
    [
        ("vod:BatchGetMediaInfos", {"not_asked": 3, "new": 1, "gone": 1}),
        ("vod:SearchMedia", {"new": 1, "gone": 1}),
    ],
)
def test_without_a_permission_the_rest_is_compared_and_nothing_is_changed(
    rig: Rig, denied: str, counts: dict[str, int]
) -> None:
    put(rig.sandbox, 4)
    rig.run()
    rig.sandbox.delete(BUCKET, "f00000.mp4")
    rig.sandbox.put(BUCKET, "new.mp4")
    rig.sandbox.account(deny=[denied])
    found = compared(rig, *REPAIRABLE, apply=True)
    assert (differences(found), found.repaired) == (counts, None)
    (error,) = found.balance.trouble
    assert isinstance(error, Denied)
    assert denied in str(error)


def test_a_bucket_that_may_not_be_listed_is_known_before_the_library_is_walked(rig: Rig) -> None:
    put(rig.sandbox, 1)
    rig.sandbox.account(deny=["oss:ListObjects"])
    with pytest.raises(SourceDenied, match="allow oss:ListObjects"):
        compared(rig)
    assert set(calls(rig)) == {"ListObjects"}


def test_where_a_prefix_cannot_be_listed_nothing_of_the_others_is_changed(rig: Rig) -> None:
    for key in ("a/gone.mp4", "a/kept.mp4", "b/kept.mp4"):
        rig.sandbox.put(BUCKET, key)
    migration = rig.migration(source={"prefixes": ["a/", "b/"]})
    rig.run(migration)
    before = rig.results()
    rig.sandbox.delete(BUCKET, "a/gone.mp4")
    rig.sandbox.fault("error", api="ListObjects", keys="b/*", code="AccessDenied", status=403)
    with pytest.raises(SourceDenied):
        compared(rig, Drift.GONE, apply=True, migration=migration)
    assert rig.results() == before
    rig.sandbox.clear_faults()
    assert compared(rig, Drift.GONE, apply=True, migration=migration).left == 0
    assert rig.results()["a/gone.mp4"][0] == "gone"


def test_what_a_run_under_way_has_in_its_queue_is_not_new(rig: Rig) -> None:
    put(rig.sandbox, 3)
    run = rig.prepare()
    rig.discover(run)
    assert differences(compared(rig)) == {"queued": 3}
    rig.lapse(run)
    assert differences(compared(rig)) == {"new": 3}


def test_stopped_in_the_walk_nothing_is_done_and_what_was_asked_is_not_asked_again(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=1_300, dirt=0)
    rig.sandbox.import_media(BUCKET)
    stop = threading.Event()
    known = rig.store.keep_library

    def keep(*given: Any) -> None:
        known(*given)
        stop.set()

    rig.store.keep_library = keep  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        compared(rig, Drift.NOT_RECORDED, apply=True, stop=stop)
    del rig.store.keep_library  # type: ignore[method-assign]
    assert rig.results() == {}
    ((kept,),) = rig.rows("select count(*) from vod_migrate.library")
    assert 0 < kept < 1_300
    rig.sandbox.reset_counters()
    assert compared(rig, Drift.NOT_RECORDED, apply=True).left == 0
    assert calls(rig)["BatchGetMediaInfos"] == -(-(1_300 - kept) // 20)
    rig.assert_results_equal_truth()


def test_stopped_in_the_repairs_the_next_reconciliation_does_the_rest(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=700, dirt=0)
    rig.sandbox.import_media(BUCKET)
    stop = threading.Event()
    known = rig.store.import_media

    def imported(*given: Any) -> int:
        stop.set()
        return known(*given)

    rig.store.import_media = imported  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match="after 500 objects"):
        compared(rig, Drift.NOT_RECORDED, apply=True, stop=stop)
    del rig.store.import_media  # type: ignore[method-assign]
    assert len(rig.results()) == 500
    assert rig.rows("select state from vod_migrate.runs") == [("interrupted",)]
    found = compared(rig, Drift.NOT_RECORDED, apply=True)
    assert (found.planned[Drift.NOT_RECORDED], found.left) == (200, 0)
    rig.assert_results_equal_truth()


def test_a_library_beyond_the_reach_of_one_search_is_walked_by_time(rig: Rig) -> None:
    for number in range(12):
        put(rig.sandbox, 50, name=f"{number:02}-{{:03}}.mp4")
        rig.sandbox.import_media(BUCKET, prefix=f"{number:02}-")
        rig.sandbox.settings(fast_forward_s=60 * (number + 1))
    shelf = rig.store.shelf("default", "nightly", BUCKET)
    stop = threading.Event()

    def walk(reach: int) -> LibraryWalk:
        states = MediaStates(rig.connection, rig.store, stop=stop)
        made = LibraryWalk(rig.connection, rig.store, states, bucket=BUCKET, stop=stop, reach=reach)
        made.run(shelf)
        return made

    walked = walk(200)
    assert rig.rows("select count(*), count(distinct key) from vod_migrate.library") == [(600, 600)]
    assert walked.asked == 30
    assert 600 < walked.media < 900
    put(rig.sandbox, 250, name="x{:03}.mp4")
    rig.sandbox.import_media(BUCKET)
    with pytest.raises(RequestRefused, match="more than 200 were registered in the second"):
        walk(200)


def test_an_inventory_or_manifest_says_what_is_new_and_never_what_is_gone(rig: Rig, tmp_path: Path) -> None:
    put(rig.sandbox, 3)
    manifest = tmp_path / "wanted.csv"
    manifest.write_text("key\nf00002.mp4\nf00000.mp4\nf00001.mp4\n")
    migration = rig.migration(source={"manifest": {"location": str(manifest)}})
    rig.run(migration)
    manifest.write_text("key\nf00002.mp4\nnew.mp4\n")
    rig.sandbox.put(BUCKET, "new.mp4")
    assert differences(compared(rig, migration=migration)) == {"new": 1}


def told(shell: Shell, *arguments: str, code: int = 0, content: Any = None) -> dict[str, Any]:
    done = shell.run("reconcile", str(shell.file(content)), "--json", *arguments)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return found


def test_the_command_shows_repairs_and_registers_what_is_new_or_deleted_in_vod(
    rig: Rig, shell: Shell, tmp_path: Path
) -> None:
    put(rig.sandbox, 8)
    rig.run()
    aged(rig)
    rig.sandbox.delete_media(BUCKET, "f00000.mp4")
    rig.sandbox.delete(BUCKET, "f00001.mp4")
    rig.sandbox.put(BUCKET, '=new, "x".mp4')
    table, lines = tmp_path / "drift.csv", tmp_path / "drift.jsonl"
    told(shell, "--output", str(lines), code=6)
    done = shell.run("reconcile", str(shell.file()), "--repair", "all", "--output", str(table))
    assert done.returncode == 6
    for text in ("+ new ", "- gone ", "! media_deleted ", "= same ", "Nothing was changed", "--repair new", "--yes"):
        assert text in done.stdout, done.stdout
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["kind"]: row for row in csv.DictReader(file)}
    assert {kind: row["key"] for kind, row in rows.items()} == {
        "new": "'=new, \"x\".mp4", "gone": "f00001.mp4", "media_deleted": "f00000.mp4",
    }  # fmt: skip
    keys = {one["kind"]: one["key"] for one in map(json.loads, lines.read_text(encoding="utf-8").splitlines())}
    assert keys == {"new": '=new, "x".mp4', "gone": "f00001.mp4", "media_deleted": "f00000.mp4"}
    done = shell.run("reconcile", str(shell.file()), "--repair", "all", "--yes", "--json")
    compared_, run = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, compared_["left"], compared_["repaired"]["registers"]) == (0, 0, 2), done.stderr
    assert run["counts"]["registered"] == 2
    assert told(shell)["differing"] == 0
    by_name = shell.run("reconcile", "nightly", "--json")
    assert (by_name.returncode, json.loads(by_name.stdout)["selected"]) == (0, 8)
    done = shell.run("reconcile", str(shell.file()), "--sample", "50", "--seed", "3")
    assert (done.returncode, "with 95 % confidence" in " ".join(done.stdout.split())) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--seed", "1"], "needs --sample"),
        (["--yes"], "give --repair"),
        (["--repair", "other_file"], "cannot be repaired by this command"),
        (["--repair", "drift"], "is not a kind of difference"),
        (["--repair", "not_recorded", "--sample", "1"], "leave --sample out"),
        (["--output", "drift.txt"], ".csv or .jsonl"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_fix(shell: Shell, arguments: list[str], expected: str) -> None:
    done = shell.run("reconcile", str(shell.file()), *arguments)
    assert (done.returncode, expected in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("name", "expected"), [("nightly", "no run and no migration 'nightly'"), ("nowhere/x.yaml", "cannot be read")]
)
def test_what_is_neither_a_file_nor_a_migration_is_named(shell: Shell, name: str, expected: str) -> None:
    done = shell.run("reconcile", name)
    assert (done.returncode, expected in done.stderr) == (2, True), done.stderr


def test_a_denied_permission_ends_the_command_after_what_it_could_compare(rig: Rig, shell: Shell) -> None:
    put(rig.sandbox, 2)
    rig.run()
    rig.sandbox.account(deny=["vod:BatchGetMediaInfos"])
    done = shell.run("reconcile", str(shell.file()))
    assert (done.returncode, "? not_asked" in done.stdout) == (3, True)
    assert "allow vod:BatchGetMediaInfos" in done.stderr


def test_nothing_known_and_nothing_there_is_no_difference(shell: Shell) -> None:
    assert told(shell) | {"seed": None} == told(shell, content=MIGRATION)
    done = shell.run("reconcile", str(shell.file()))
    assert (done.returncode, "no differences" in done.stdout) == (0, True)
