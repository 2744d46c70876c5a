"""What a lying network, a dying process and a busy Airflow do to a run: each case was once found to lose or hold objects."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from rigging import BUCKET, put
from waiting import InBackground

from vod_migrate.cloud.oss import BucketClient
from vod_migrate.discover import listing, prefix_pages, unread_pages
from vod_migrate.errors import BadSetting, Interrupted, RunStopped, SourceDenied, ThresholdPassed, VodMigrateError
from vod_migrate.media import MediaObject
from vod_migrate.results.scan import Scan
from vod_migrate.results.scans import Scans
from vod_migrate.run import control, lifecycle
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox


@contextlib.contextmanager
def losing_the_next_commits_answer(rig: Any) -> Iterator[list[int]]:
    """The first transaction is committed, but its caller hears of a broken connection."""
    pool, lost = rig.store._pool, list[int]()
    real = pool.connection

    @contextlib.contextmanager
    def flaky(*arguments: Any, **options: Any) -> Iterator[Any]:
        with real(*arguments, **options) as connection:
            yield connection
        if not lost:
            lost.append(1)
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    pool.connection = flaky
    try:
        yield lost
    finally:
        pool.connection = real


def prove(rig: Any, sandbox: Sandbox, migration: Any = None) -> None:
    """One file is registered, so that later runs have no canary."""
    sandbox.put(BUCKET, "proof.mp4")
    assert rig.run(migration).counts.registered == 1


def test_a_claim_whose_answer_was_lost_is_given_back_and_sent(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 30)
    run = rig.prepare()
    rig.discover(run)
    real, lost = rig.store.claim, list[int]()

    def claim(*arguments: Any, **options: Any) -> Any:
        if not lost:
            lost.append(1)
            real(*arguments, **options)
        return real(*arguments, **options)

    rig.store.claim = claim
    worker = InBackground(rig.register, run)
    assert worker.ended_within(20)
    assert worker.raised is None
    assert len(sandbox.truth(BUCKET)) == 30


def test_taking_a_place_and_merging_a_page_may_be_repeated(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 30)
    run = rig.prepare(limit=20)
    with losing_the_next_commits_answer(rig) as lost:
        rig.store.take_place(run, slot="one", host="h")
    assert lost
    place = rig.store.take_place(run, slot="discover", host="h")
    (scan,) = rig.store.open_scans(run)
    objects = tuple(
        MediaObject(bucket=BUCKET, key=f"f{number:05}.mp4", size=5, etag="E", last_modified=dt.datetime.now(dt.UTC))
        for number in range(30)
    )
    listing = engine_listing(objects)
    with losing_the_next_commits_answer(rig) as lost:
        after = rig.store.merge_page(run, place, scan, listing)
    assert lost
    assert (after.page_no, after.counts["queued"], after.left_out["limit"], after.limited) == (1, 20, 10, True)
    assert rig.rows("select count(*) from vod_migrate.work") == [(20,)]


def engine_listing(objects: tuple[MediaObject, ...]) -> Any:
    from vod_migrate.results.scan import SelectedPage  # noqa: PLC0415 - one use

    keys = tuple(found.key for found in objects)
    return SelectedPage(
        keys=keys, listed=len(keys), selected=objects, left_out={}, cursor=None, fetched=time.monotonic()
    )


def test_a_helper_ends_when_its_run_is_ended_elsewhere_and_the_next_run_goes_on(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 1000)  # a second at the full pace, which begins when the cap ends with its run, must not be enough
    run = rig.prepare(calls_per_second=3)
    rig.discover(run)
    stop = threading.Event()
    first = InBackground(rig.register, run, stop, "one")
    helper = InBackground(rig.register, run, threading.Event(), "two")
    time.sleep(1.5)
    stop.set()
    assert first.ended_within(10)
    finish(store=rig.store, run_id=run.run_id)
    assert helper.ended_within(10)
    assert isinstance(helper.raised, RunStopped)
    assert rig.run().counts.pending == 0
    assert len(sandbox.truth(BUCKET)) == 1000


def test_ten_bad_files_at_the_beginning_do_not_hold_up_the_good_ones_behind_them(rig: Any, sandbox: Sandbox) -> None:
    sandbox.settings(missing_file="refuse")
    put(sandbox, 10, "a{}.mp4")
    put(sandbox, 60, "z{}.mp4")
    run = rig.prepare()
    rig.discover(run)
    for number in range(10):
        sandbox.delete(BUCKET, f"a{number}.mp4")
    rig.register(run)
    counts = finish(store=rig.store, run_id=run.run_id).counts
    assert (counts.registered, counts.failed, counts.pending) == (60, 10, 0)


def test_an_interrupted_rerun_of_the_failed_goes_on_in_the_next_one(rig: Any, sandbox: Sandbox) -> None:
    prove(rig, sandbox)
    put(sandbox, 40)
    sandbox.fault("fail_files")
    assert rig.run().counts.failed == 40
    sandbox.clear_faults()
    run = rig.prepare(mode="failed")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        rig.register(run, stop)
    assert finish(store=rig.store, run_id=run.run_id).counts.pending == 40
    assert rig.run(mode="failed").counts.registered == 40


def test_a_rerun_of_the_failed_can_be_narrowed_to_a_day(rig: Any, sandbox: Sandbox) -> None:
    for day in (1, 2):
        sandbox.put(BUCKET, f"in/2026-03-0{day}/x.mp4")
    dated = rig.migration(source={"prefixes": ["in/{{ date }}/"]})
    sandbox.fault("fail_files")
    for day in (1, 2):
        assert rig.run(dated, date=f"2026-03-0{day}").counts.failed == 1
    sandbox.clear_faults()
    assert rig.run(dated, mode="failed", date="2026-03-02").counts.registered == 1
    assert set(sandbox.truth(BUCKET)) == {"in/2026-03-02/x.mp4"}
    assert rig.run(dated, mode="failed").counts.registered == 1


def test_a_dag_run_cleared_after_its_threshold_starts_counting_anew(rig: Any, sandbox: Sandbox) -> None:
    rig.waits(take_over=0.5)
    migration = rig.migration(stop_after={"min_outcomes": 20})
    prove(rig, sandbox, migration)
    put(sandbox, 500)
    sandbox.fault("fail_files")
    run = rig.prepare_in_airflow(migration, "r1", calls_per_second=10)
    rig.discover(run)
    with pytest.raises(ThresholdPassed):
        rig.register(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "stopped"
    sandbox.clear_faults()
    rig.register(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "succeeded", "its register task alone was cleared"
    again = rig.prepare_in_airflow(migration, "r1", mode="failed")
    rig.register(again)
    assert finish(store=rig.store, run_id=again.run_id).counts.failed == 0
    assert len(sandbox.truth(BUCKET)) == 501


def test_a_worker_that_lost_its_place_claims_nothing_more(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 40)
    run = rig.prepare()
    rig.discover(run)
    old = rig.store.take_place(run, slot="one", host="old")
    new = rig.store.take_place(run, slot="one", host="new")
    assert rig.store.claim(run, old).works == ()
    assert len(rig.store.claim(run, new).works) == 40


def test_a_worker_whose_lease_ran_out_does_not_send_its_own_queue_twice(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 120)
    run = rig.prepare(calls_per_second=5)
    rig.discover(run)
    worker = InBackground(rig.register, run)
    time.sleep(1.5)
    with rig.store.connection() as connection:
        connection.execute("update vod_migrate.workers set expires_at = now() - interval '1 second'")
    assert worker.ended_within(60)
    assert worker.raised is None
    assert rig.calls() == 12


def test_a_run_whose_connections_were_all_cut_is_not_taken_for_dead(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 300)
    run = rig.prepare(calls_per_second=3)
    rig.discover(run)
    worker = InBackground(rig.register, run)
    time.sleep(1)
    with psycopg.connect(rig.store.url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    time.sleep(6)
    other = rig.run()
    assert (other.counts.registered, other.counts.queued_elsewhere > 0) == (0, True)
    control.set_run_rate(rig.store, run.run_id, None, by="ann")
    assert worker.ended_within(60)
    assert worker.raised is None
    assert len(sandbox.truth(BUCKET)) == 300


def test_an_airflow_run_between_its_tasks_keeps_its_objects(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 20)
    waiting = rig.prepare_in_airflow(rig.migration(), "r1")
    rig.discover(waiting)
    assert rig.run().counts.queued_elsewhere == 20
    rig.register(waiting)
    assert finish(store=rig.store, run_id=waiting.run_id).counts.registered == 20


def test_a_silent_airflow_run_is_adopted_after_a_quarter_of_an_hour(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 20)
    silent = rig.prepare_in_airflow(rig.migration(), "r1")
    rig.discover(silent)
    rig.lapse(silent)
    assert rig.run().counts.registered == 20
    assert rig.store.run(silent.run_id).state == "interrupted"


@pytest.mark.parametrize("key", ["a\x00b.mp4", "b\udcffc.mp4"])
def test_a_key_that_postgres_cannot_hold_is_left_out_by_name_and_holds_up_nothing(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    put(sandbox, 3)
    real = prefix_pages.read_page

    def page(*arguments: Any, **options: Any) -> prefix_pages.ListedPage:
        listed = real(*arguments, **options)
        odd = MediaObject(bucket=BUCKET, key=key, size=1, etag="x", last_modified=dt.datetime.now(dt.UTC))
        objects = (
            sorted([*listed.objects, odd], key=lambda found: prefix_pages.sortable(found.key)) if listed.objects else ()
        )
        return dataclasses.replace(listed, objects=tuple(objects))

    monkeypatch.setattr(listing, "read_page", page)
    counts = rig.run().counts
    assert (counts.registered, counts.left_out, counts.discovered) == (3, {"unstorable_key": 1}, 4)
    assert rig.rows("select * from vod_migrate.ranges") == [], "no later listing goes by such a page"


def test_a_worker_of_another_account_or_region_is_not_let_in(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 10)
    run = rig.prepare()
    rig.discover(run)
    for other in ({"account": "other"}, {"region": "cn-beijing"}):
        rig_of_other = dataclasses.replace(rig.connection, **other)
        with pytest.raises(BadSetting, match=next(iter(other))):
            lifecycle.register(
                store=rig.store, connection=rig_of_other, run_id=run.run_id, slot="x", stop=threading.Event()
            )
    assert rig.calls() == 0


def test_a_retried_discover_task_still_finds_its_register_task(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_pages, "TRIES", 2)
    rig.waits(take_over=1.0)
    put(sandbox, 50)
    run = rig.prepare()
    sandbox.fault("http_503", api="ListObjects")
    worker = InBackground(rig.register, run)
    with pytest.raises(VodMigrateError):
        rig.discover(run)
    time.sleep(3)
    sandbox.clear_faults()
    rig.discover(run)
    assert worker.ended_within(30)
    assert worker.raised is None
    assert finish(store=rig.store, run_id=run.run_id).counts.registered == 50


def test_a_register_task_lists_nothing_while_a_discover_task_is_there(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.waits(take_over=0.3)
    put(sandbox, 20, "a/{}.txt")
    put(sandbox, 20, "b/{}.mp4")
    listed_by: set[str] = set()
    real = Scans.merge_page

    def slow(*arguments: Any) -> Scan:
        time.sleep(1.5)
        listed_by.add(threading.current_thread().name)
        return real(*arguments)

    monkeypatch.setattr(Scans, "merge_page", slow)
    run = rig.prepare(rig.migration(source={"prefixes": ["a/", "b/"]}))
    worker = InBackground(rig.register, run)
    rig.discover(run)
    assert worker.ended_within(30)
    assert listed_by == {threading.current_thread().name}


def test_an_object_refused_once_and_then_adopted_still_gets_its_try_alone(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, 5)
    run = rig.prepare()
    rig.discover(run)
    with rig.store.connection() as connection:
        connection.execute("update vod_migrate.work set attempts = 1")
        connection.execute("update vod_migrate.blocks set alone = true")
    rig.lapse(run)
    assert rig.run().counts.registered == 5
    assert [row[0] for row in rig.rows("select files from vod_migrate.calls")] == [1] * 5


@pytest.mark.parametrize(("objects", "denied"), [(1_200, 2), (4_200, 4)])
def test_a_prefix_that_was_denied_half_way_marks_nothing_as_gone(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, objects: int, denied: int
) -> None:
    rig.unlimited()
    put(sandbox, objects)
    rig.run()
    sandbox.delete(BUCKET, "f00005.mp4")
    real, pages = BucketClient.list_unread, list[int]()

    def page(*arguments: Any, **options: Any) -> Any:
        pages.append(1)
        if len(pages) == denied:
            raise SourceDenied("403")
        return real(*arguments, **options)

    monkeypatch.setattr(BucketClient, "list_unread", page)
    assert rig.run().state == "failed"
    assert rig.results()["f00005.mp4"][0] == "registered"
    assert rig.run().counts.gone == 1


def test_a_database_that_refuses_connections_for_a_while_is_waited_for(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(sandbox, 5)
    run = rig.prepare()
    real, began = psycopg.connect, time.monotonic()

    def connect(*arguments: Any, **options: Any) -> Any:
        if time.monotonic() - began < 1.5:
            raise psycopg.OperationalError("the database system is starting up")
        return real(*arguments, **options)

    monkeypatch.setattr(psycopg, "connect", connect)
    rig.discover(run)
    monkeypatch.undo()
    rig.register(run)
    assert len(sandbox.truth(BUCKET)) == 5
