"""A run that was approved sends exactly what was planned, but for what has changed in the meantime, which it names."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nights import EVERYTHING
from planning import plan
from rigging import BUCKET, Rig

from vod_migrate.errors import BadOption, Interrupted
from vod_migrate.migration.model import Migration
from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.report.loader import load_report
from vod_migrate.results.run import Run
from vod_migrate.run import planning_run
from vod_migrate.run.settle import finish


def put(rig: Rig, *keys: str) -> None:
    for key in keys:
        rig.sandbox.put(BUCKET, key)


def leave(rig: Rig, prefix: str) -> None:
    """A run lists, and its process is gone."""
    run = rig.prepare(prefixes=[prefix])
    rig.discover(run)
    rig.lapse(run)


def sent(rig: Rig) -> set[str]:
    return set(rig.sandbox.truth(BUCKET))


DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("a setting", {"select": {"min_size": 2}}, {}, "the file's select.min_size: 1 in the plan, 2 now"),
    ("a list", {"source": {"prefixes": ["b/"]}}, {}, r"prefixes: \['a/'\] in the plan, \['b/'\] now"),
    ("another migration", {"name": "other"}, {}, "the plan is for migration 'nightly', this run for 'other'"),
    ("an option", {}, {"limit": 5}, "limit: none in the plan, 5 now"),
    ("a mode", {}, {"mode": "all"}, "mode: new in the plan, all now"),
    ("a pace", {}, {"calls_per_second": 5}, "calls_per_second: none in the plan, 5.0 now"),
    ("narrower prefixes", {}, {"prefixes": ["a/b/"]}, "what earlier runs left: is sent, too in the plan, stays now"),
]


@pytest.mark.parametrize(
    ("content", "options", "said"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_another_file_and_other_options_are_refused_at_once_by_name(
    rig: Rig, content: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    base: dict[str, Any] = {"source": {"prefixes": ["a/"]}}
    put(rig, "a/1.mp4")
    made = plan(rig, rig.migration(**base))
    with pytest.raises(BadOption, match=said):
        rig.prepare(rig.migration(**{**base, **content}), approve=made.digest, **options)
    assert rig.rows("select count(*) from vod_migrate.runs") == [(1,)]


def test_what_happens_around_a_run_may_change_between_its_plan_and_its_approval(rig: Rig) -> None:
    put(rig, "a/1.mp4")
    made = plan(rig)
    around = {
        "notify": [{"to": "webhook", "channel": "team"}],
        "prices": {"currency": "CNY"},
        "schedule": "@daily",
        "verify": {"after": "30m"},
    }
    assert plan(rig, rig.migration(**around)).digest == made.digest
    assert rig.prepare(rig.migration(**around), approve=made.digest).options.approve == made.digest


def test_a_digest_that_no_plan_has_or_several_begin_with_is_refused(rig: Rig) -> None:
    put(rig, "1.mp4")
    made = plan(rig)
    with pytest.raises(BadOption, match="no plan in this results database has the digest"):
        rig.prepare(approve="0" * 12)
    put(rig, "2.mp4")
    other = plan(rig)
    number = rig.store.run(other.run_id).run_no
    rig.rows(
        "update vod_migrate.plans set digest = %s where run_no = %s returning 1", made.digest[:20] + "0" * 44, number
    )
    with pytest.raises(BadOption, match="give more digits"):
        rig.prepare(approve=made.digest[:20])
    # The same plan made twice is one plan.
    rig.rows("delete from vod_migrate.plans where run_no = %s returning 1", number)
    rig.sandbox.delete(BUCKET, "2.mp4")
    assert plan(rig).digest == made.digest
    assert rig.prepare(approve=made.digest[:12].upper()).options.approve == made.digest


def add(rig: Rig) -> None:
    put(rig, "new.mp4")


def remove(rig: Rig) -> None:
    rig.sandbox.delete(BUCKET, "a/1.mp4")


def replace(rig: Rig) -> None:
    rig.sandbox.put(BUCKET, "a/1.mp4", b"another video")


def rename(rig: Rig) -> None:
    remove(rig)
    put(rig, "a/renamed.mp4")


CHANGES: list[tuple[Callable[[Rig], None], set[str], dict[str, int]]] = [
    (add, {"a/1.mp4", "a/2.mp4", "b.mp4"}, {"approved": 3, "new_since_plan": 1}),
    (remove, {"a/2.mp4", "b.mp4"}, {"approved": 2, "vanished": 1}),
    (replace, {"a/2.mp4", "b.mp4"}, {"approved": 2, "changed_since_plan": 1}),
    (rename, {"a/2.mp4", "b.mp4"}, {"approved": 2, "vanished": 1, "new_since_plan": 1}),
]


@pytest.mark.parametrize(("change", "keys", "compared"), CHANGES, ids=[change.__name__ for change, *_ in CHANGES])
def test_a_source_that_has_changed_sends_what_was_approved_and_names_the_rest(
    rig: Rig, change: Callable[[Rig], None], keys: set[str], compared: dict[str, int]
) -> None:
    put(rig, "a/1.mp4", "a/2.mp4", "b.mp4")
    made = plan(rig)
    change(rig)
    told = rig.run(approve=made.digest)
    assert (told.error, sent(rig)) == (None, keys)
    assert told.counts.approval == compared
    shown = load_report(rig.store, told.run_id).plan_differences
    assert {left.reason: left.count for left in shown} == {n: c for n, c in compared.items() if n != "approved"}
    assert all(left.samples for left in shown)

    # Planned again, the rest is sent, and each object once.
    assert rig.run(approve=plan(rig).digest).error is None
    rig.assert_results_equal_truth()


def test_what_another_run_settled_since_the_plan_is_named_and_not_sent_twice(rig: Rig) -> None:
    put(rig, "1.mp4", "2.mp4")
    made = plan(rig)
    rig.run(limit=1)
    told = rig.run(approve=made.digest)
    assert (told.error, told.counts.registered) == (None, 1)
    assert told.counts.approval == {"approved": 1, "settled_meanwhile": 1}
    rig.assert_results_equal_truth()


@pytest.mark.parametrize("late", [False, True], ids=["before the approved run lists", "after it has listed"])
def test_what_another_run_is_about_to_send_is_named_and_not_sent_twice(rig: Rig, late: bool) -> None:
    put(rig, "1.mp4", "2.mp4")
    run = rig.prepare(approve=plan(rig).digest)
    if late:
        rig.discover_a_page(run)
    other = rig.prepare(limit=1)
    rig.discover(other)
    rig.discover(run)
    [line] = migrations_page(rig.store, readable=EVERYTHING).lines
    assert line.pending == 2
    for one in (other, run):
        rig.register(one)
    told = finish(store=rig.store, run_id=run.run_id)
    assert told.counts.approval == {"approved": 1, "queued_elsewhere": 1}
    assert (told.counts.registered, told.counts.already_registered) == (1, 0)
    rig.assert_results_equal_truth()


def test_a_plan_hides_nothing_from_a_run_that_needs_no_approval_and_owns_nothing(rig: Rig) -> None:
    put(rig, "1.mp4", "2.mp4")
    made = plan(rig)
    told = rig.run(rig.migration("other"))
    assert (told.error, told.counts.registered) == (None, 2)
    late = rig.run(approve=made.digest)
    assert (late.error, late.counts.registered, late.counts.owned_elsewhere) == (None, 0, 2)


def test_a_newer_plan_of_the_same_file_and_options_takes_the_place_of_one_that_nobody_decided_about(rig: Rig) -> None:
    put(rig, "1.mp4")
    old = plan(rig)
    put(rig, "2.mp4")
    new = plan(rig)
    with pytest.raises(BadOption, match="a newer plan"):
        rig.prepare(approve=old.digest)
    assert rig.run(approve=new.digest).counts.registered == 2


def test_a_plan_that_is_too_old_keeps_what_it_says_and_can_be_approved_no_more(rig: Rig) -> None:
    put(rig, "1.mp4")
    made = plan(rig)
    assert rig.store.drop_old_plans(rig.store.now() - dt.timedelta(days=1)) == 0
    rig.lapse(rig.store.run(made.run_id))
    assert rig.store.drop_old_plans(rig.store.now() + dt.timedelta(seconds=1)) == 1
    assert rig.rows("select count(*) from vod_migrate.work") == [(0,)]
    with pytest.raises(BadOption, match="because it is old"):
        rig.prepare(approve=made.digest)
    assert load_report(rig.store, made.run_id).run.state == "planned"


def test_what_the_selection_leaves_out_may_come_and_go(rig: Rig) -> None:
    put(rig, "1.mp4")
    made = plan(rig)
    put(rig, "notes.txt")
    assert rig.run(approve=made.digest).counts.registered == 1


def test_nothing_is_sent_before_the_whole_source_is_listed_also_by_a_worker_that_was_there_first(rig: Rig) -> None:
    rig.unlimited()
    rig.sandbox.generate(BUCKET, count=1_200, dirt=0)  # two pages
    made = plan(rig)
    run = rig.prepare(approve=made.digest)
    worker = threading.Thread(target=rig.register, args=(run,), daemon=True)
    worker.start()
    rig.discover_a_page(run)
    time.sleep(1.5)
    assert rig.calls() == 0
    assert worker.is_alive()
    # The rest of the listing, by another process.
    rig.discover(run)
    worker.join(60)
    told = finish(store=rig.store, run_id=run.run_id)
    assert (told.error, told.counts.registered, told.calls) == (None, 1_200, made.batches.calls)


def test_a_source_that_cannot_be_listed_to_its_end_sends_nothing(rig: Rig, tmp_path: Path) -> None:
    rig.waits(take_over=0.5)
    put(rig, "1.mp4")
    path = tmp_path / "list.csv"
    path.write_text("key\n1.mp4\n", encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": str(path)}})
    made = plan(rig, migration)
    path.unlink()
    told = rig.run(migration, approve=made.digest)
    assert (told.state, rig.calls()) == ("failed", 0)
    assert "list.csv" in str(told.error)


def test_what_fails_after_the_plan_of_mode_failed_is_not_sent_with_it(rig: Rig) -> None:
    content = {"describe": {"title": "{{ stem }}", "policies": {"title": "fail"}}}
    migration = rig.migration(**content)
    put(rig, "1 😀.mp4", "2.mp4")
    rig.run(migration)
    made = plan(rig, migration, mode="failed")
    put(rig, "3 😀.mp4")
    rig.run(migration)
    told = rig.run(migration, mode="failed", approve=made.digest)
    assert (told.counts.failed, told.counts.approval) == (1, {"approved": 1, "new_since_plan": 1})
    again = plan(rig, migration, mode="failed")
    assert rig.run(migration, mode="failed", approve=again.digest).counts.failed == 2


def test_an_approved_run_takes_along_what_was_left_when_it_was_planned_and_no_more(rig: Rig) -> None:
    put(rig, "a/1.mp4", "left/1.mp4")
    leave(rig, "left/")
    made = plan(rig)
    assert (made.new, made.leftovers) == (1, 1)
    put(rig, "later/1.mp4")
    leave(rig, "later/")
    told = rig.run(approve=made.digest)
    assert (told.error, sent(rig)) == (None, {"a/1.mp4", "left/1.mp4"})
    rig.run()
    assert len(sent(rig)) == 3


def test_an_approved_run_that_was_interrupted_goes_on_when_it_is_approved_again(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=300, dirt=0)
    put(rig, "left/1.mp4")
    leave(rig, "left/")
    migration = rig.migration(register={"calls_per_second": 5})
    made = plan(rig, migration)
    assert made.leftovers == 1
    first = rig.prepare(migration, approve=made.digest)
    rig.discover(first)
    stop = threading.Event()

    def stop_once_some_are_sent() -> None:
        while not sent(rig):
            time.sleep(0.05)
        stop.set()

    threading.Thread(target=stop_once_some_are_sent, daemon=True).start()
    with pytest.raises(Interrupted):
        rig.register(first, stop)
    finish(store=rig.store, run_id=first.run_id)
    assert 0 < len(sent(rig)) < 301
    told = rig.run(migration, approve=made.digest)
    assert (told.error, len(sent(rig))) == (None, 301)
    rig.assert_results_equal_truth()


# Migrations that require an approval, as Airflow's tasks drive them


def asking(rig: Rig, **content: Any) -> Migration:
    return rig.migration(require_approval=True, **content)


def plan_run(rig: Rig, run: Run) -> Any:
    return planning_run.plan_run(store=rig.store, connection=rig.connection, run_id=run.run_id, stop=threading.Event())


def test_a_digest_without_a_stored_yes_asks_in_airflow_and_is_a_recorded_yes_from_the_command_line(rig: Rig) -> None:
    put(rig, "1.mp4")
    made = plan(rig, asking(rig))
    run = rig.prepare_in_airflow(asking(rig), approve=made.digest)
    with pytest.raises(BadOption, match="is not approved"):
        rig.register(run)
    assert plan_run(rig, run).digest == made.digest
    assert planning_run.plan_to_approve(rig.store, run.run_id) is not None
    assert rig.calls() == 0
    again = plan(rig, asking(rig))
    rig.by = "ann"
    assert rig.run(asking(rig), approve=again.digest).counts.registered == 1
    record = rig.store.plan_of(again.run_id)
    assert record is not None
    assert (record.approved, record.decided_by) == (True, "ann")


def test_a_rejected_plan_cannot_be_run_by_its_digest(rig: Rig) -> None:
    put(rig, "1.mp4")
    run = rig.prepare_in_airflow(asking(rig))
    digest = plan_run(rig, run).digest
    planning_run.decide(rig.store, run.run_id, approved=False, by="ada")
    with pytest.raises(BadOption, match="ada rejected the plan"):
        rig.prepare_in_airflow(asking(rig), "another night", approve=digest)
    assert rig.rows("select count(*) from vod_migrate.work") == [(0,)]


def test_by_hand_a_migration_that_requires_approval_needs_a_plan(rig: Rig) -> None:
    put(rig, "1.mp4")
    with pytest.raises(BadOption, match="vod-migrate plan FILE"):
        rig.prepare(asking(rig))
    made = plan(rig, asking(rig))
    assert rig.run(asking(rig), approve=made.digest).counts.registered == 1


def test_nothing_is_discovered_or_sent_before_a_person_has_said_yes(rig: Rig) -> None:
    put(rig, "1.mp4")
    run = rig.prepare_in_airflow(asking(rig))
    for _ in range(2):
        for step in (rig.discover, rig.register):
            with pytest.raises(BadOption, match="is not approved"):
                step(run)
        made = plan_run(rig, run)
        assert rig.store.run(run.run_id).state == "planned"
    assert rig.results() == {}
    assert planning_run.plan_to_approve(rig.store, run.run_id) == made
    planning_run.decide(rig.store, run.run_id, approved=True, by="ada")
    assert planning_run.plan_to_approve(rig.store, run.run_id) is None
    told = rig.complete(run)
    assert (told.error, told.plan, told.counts.registered) == (None, None, 1)
    # Planned again once it was approved, it stays what was approved.
    assert plan_run(rig, run) == made
    record = rig.store.plan_of(run.run_id)
    assert record is not None
    assert (record.approved, record.decided_by) == (True, "ada")


@pytest.mark.parametrize(("by", "said"), [("ada", "rejected by ada"), ("", "nobody answered within 3 hours")])
def test_a_plan_that_is_rejected_sends_nothing_and_is_no_failure(rig: Rig, by: str, said: str) -> None:
    put(rig, "1.mp4")
    run = rig.prepare_in_airflow(asking(rig, approval_hours=3))
    plan_run(rig, run)
    planning_run.decide(rig.store, run.run_id, approved=False, by=by)
    told = rig.complete(run)
    assert (told.state, told.error, rig.results()) == ("planned", None, {})
    assert said in (rig.store.run(run.run_id).stop_message or "")
    assert told.as_json()["plan"]["to_send"] == 1


def test_a_plan_with_nothing_to_send_asks_nobody_and_still_finds_what_is_gone(rig: Rig) -> None:
    put(rig, "1.mp4")
    rig.run()
    rig.sandbox.delete(BUCKET, "1.mp4")
    run = rig.prepare_in_airflow(asking(rig))
    assert plan_run(rig, run).gone == 1
    assert planning_run.plan_to_approve(rig.store, run.run_id) is None
    assert rig.complete(run).counts.gone == 1


def test_what_failed_stays_failed_until_sending_it_again_is_approved(rig: Rig) -> None:
    migration = asking(rig, describe={"title": "{{ stem }}", "policies": {"title": "fail"}})
    put(rig, "1 😀.mp4")
    made = plan(rig, migration)
    rig.run(migration, approve=made.digest)
    assert plan(rig, migration, mode="failed", codes=["other_code"]).again == 0
    run = rig.prepare_in_airflow(migration, mode="failed", codes=["title_emoji"])
    assert plan_run(rig, run).again == 1
    planning_run.decide(rig.store, run.run_id, approved=True, by="ada")
    planning_run.decide(rig.store, run.run_id, approved=True, by="ada")
    assert rig.results() == {"1 😀.mp4": ("failed", None, "title_emoji")}
    assert rig.complete(run).counts.failed == 1


def test_a_dry_run_in_airflow_sends_nothing_even_if_its_tasks_are_cleared(rig: Rig) -> None:
    put(rig, "1.mp4")
    run = rig.prepare_in_airflow(rig.migration(), dry_run=True)
    for _ in range(2):
        assert plan_run(rig, run).to_send == 1
        with pytest.raises(BadOption, match="only makes a plan"):
            rig.register(run)
        told = finish(store=rig.store, run_id=run.run_id)
        assert (told.state, told.counts.pending, rig.results()) == ("planned", 1, {})


def test_a_run_whose_planning_broke_ends_as_one_without_a_plan(rig: Rig) -> None:
    run = rig.prepare_in_airflow(asking(rig))
    told = finish(store=rig.store, run_id=run.run_id)
    assert told.state == "interrupted"
    assert "no plan was made" in str(told.error)
