"""What the results store promises when the database, the source or the clock changes under a run."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

import psycopg
import pytest
from databases import Databases
from store_helpers import (
    BUCKET,
    a_call,
    begin,
    facts,
    finish,
    lapse,
    list_all,
    lister,
    page,
    prefix_scan,
    registered,
    settle,
)

from vod_migrate.errors import BadOption, StoreTooNew
from vod_migrate.results.database import database_state, upgrade_schema
from vod_migrate.results.scans import ScanMoved
from vod_migrate.results.store import Store
from vod_migrate.results.work import Settlement

# A lost listing lock


def test_a_lister_that_lost_its_lease_merges_nothing_and_the_next_one_goes_on_where_it_stood(store: Store) -> None:
    run = begin(store, "r1")
    first = lister(store, run)
    scan = store.merge_page(run, first, prefix_scan(store, run), page(["a.mp4", "b.mp4"], cursor="1"))
    second = lister(store, run)
    with pytest.raises(ScanMoved):
        store.merge_page(run, first, scan, page(["c.mp4"], cursor="2"))
    after = store.merge_page(run, second, prefix_scan(store, run), page(["c.mp4"], cursor="2"))
    with pytest.raises(ScanMoved):
        store.close_scan(run, first, after, state="complete")
    assert (after.page_no, after.listed, dict(after.counts)) == (2, 3, {"queued": 3})
    assert store.renew(second)
    assert not store.renew(first)


def test_of_two_who_list_one_page_at_the_same_moment_one_is_stopped_and_nothing_is_skipped(store: Store) -> None:
    run = begin(store, "r1")
    place = lister(store, run)
    scan = prefix_scan(store, run)
    store.merge_page(run, place, scan, page(["a.mp4"], cursor="1"))
    # The same place, as where a register worker took over and its predecessor's page was still on its way.
    with pytest.raises(ScanMoved):
        store.merge_page(run, place, scan, page(["a.mp4"], cursor="1"))
    assert prefix_scan(store, run).counts == {"queued": 1}


def test_a_failover_that_forgot_a_page_is_found_and_the_page_is_listed_again(store: Store) -> None:
    run = begin(store, "r1")
    place = lister(store, run)
    before = prefix_scan(store, run)
    after = store.merge_page(run, place, before, page(["a.mp4"], cursor="1"))
    with store.connection() as connection:
        # What an asynchronous standby that is promoted does not have.
        connection.execute("delete from vod_migrate.work")
        connection.execute("delete from vod_migrate.blocks")
        connection.execute(
            "update vod_migrate.scans set page_no = 0, page_nonce = null, cursor = null, last_key = null, listed = 0, counts = '{}', "
            "selected = 0, fingerprint = '' where scan_id = %s",
            (before.scan_id,),
        )
    with pytest.raises(ScanMoved):
        store.merge_page(run, place, after, page(["b.mp4"]))
    again = store.merge_page(run, place, prefix_scan(store, run), page(["a.mp4"], cursor="1"))
    last = store.merge_page(run, place, again, page(["b.mp4"]))
    assert last.counts == {"queued": 2}


def test_a_page_is_not_merged_into_a_scan_that_was_closed(store: Store) -> None:
    run = begin(store, "r1")
    place = lister(store, run)
    scan = store.merge_page(run, place, prefix_scan(store, run), page(["a.mp4"], cursor="1"))
    store.close_scan(run, place, scan, state="failed", error="403")
    with pytest.raises(ScanMoved):
        store.merge_page(run, place, scan, page(["b.mp4"]))


# Who owns what


def test_what_was_never_sent_has_no_owner(store: Store) -> None:
    trial = begin(store, "r1", migration="trial")
    list_all(store, trial, ["a.mp4", "b.mp4"])
    finish(store, trial, "cancelled")
    production = begin(store, "r2", migration="production")
    assert list_all(store, production, ["a.mp4", "b.mp4"]).counts["queued"] == 2
    assert settle(store, production) == 2
    # What the trial left belongs to production now, and is left out by name.
    again = begin(store, "r3", migration="trial")
    list_all(store, again, ["a.mp4", "b.mp4"])
    counts = store.counts("r3")
    assert (counts.owned_elsewhere, counts.leftovers, counts.leftovers_left_out["owned_elsewhere"]) == (2, 0, 2)


def test_facts_are_handed_over_to_a_migration_that_has_some_and_a_renamed_one_takes_everything_along(
    store: Store,
) -> None:
    for name, run_id, keys in (("old", "r1", ["a.mp4", "b.mp4"]), ("new", "r2", ["c.mp4"])):
        run = begin(store, run_id, migration=name)
        list_all(store, run, keys)
        settle(store, run)
        if name == "old":
            with pytest.raises(BadOption, match="is under way"):
                store.transfer("default", "old", "new")
        lapse(store, run)
        finish(store, run)
    assert store.transfer("default", "old", "new") == 2
    nightly = begin(store, "r3", migration="new")
    assert list_all(store, nightly, ["a.mp4", "b.mp4", "c.mp4"]).counts == {"gone": 0, "unchanged": 3}
    lapse(store, nightly)
    finish(store, nightly)
    assert store.transfer("default", "new", "renamed") == 3
    with pytest.raises(BadOption, match="no migration 'new'"):
        store.transfer("default", "new", "x")


# Gone is judged by when a page was fetched


def test_an_object_registered_while_a_page_is_on_its_way_is_not_gone(store: Store) -> None:
    run = begin(store, "r1")
    place = lister(store, run)
    fetched = time.monotonic()
    other = begin(store, "r2", migration="other")
    list_all(store, other, ["new.mp4"])
    settle(store, other)
    with store.connection() as connection:
        connection.execute("update vod_migrate.objects set migration_id = %s", (run.migration_id,))
    scan = store.merge_page(run, place, prefix_scan(store, run), page(["a.mp4"], fetched=fetched))
    store.close_scan(run, place, scan, state="complete")
    assert facts(store) == {"new.mp4": ("registered", "m-new.mp4", None)}
    later = begin(store, "r3")
    place = lister(store, later)
    scan = store.merge_page(later, place, prefix_scan(store, later), page(["a.mp4"]))
    store.close_scan(later, place, scan, state="complete")
    assert facts(store)["new.mp4"][0] == "gone"


# The clock steps back


def test_a_clock_that_steps_back_holds_up_nobody_and_is_noted(store: Store, caplog: Any) -> None:
    store.keep_quota("default", "RegisterMedia", 47)
    with store.connection() as connection:
        connection.execute(
            "update vod_migrate.quotas set next_at = now() + interval '10 min', cut_at = now() + interval '10 min', factor = 0.1, "
            "taken_at = array_fill(now() + interval '10 min', array[10])"
        )
    first = store.reserve_slots("default", "RegisterMedia", "", count=1, priority=5)
    assert (first.due, first.ask_again_in) == ((), 0.0)
    assert "stepped back" in caplog.text
    second = store.reserve_slots("default", "RegisterMedia", "", count=1, priority=5)
    assert second.due
    with store.connection() as connection:
        row = connection.execute(
            "select reset_at, vod_migrate.share(factor, cut_at) from vod_migrate.quotas"
        ).fetchone()
    assert row is not None
    assert row["reset_at"] is not None


def test_a_pause_that_the_service_asked_for_is_no_step_of_the_clock(store: Store) -> None:
    store.keep_quota("default", "RegisterMedia", 47)
    store.slow_down("default", "RegisterMedia", pause=60)
    asked = store.reserve_slots("default", "RegisterMedia", "", count=1, priority=5)
    assert not asked.due
    assert asked.ask_again_in == pytest.approx(58, abs=2)


def test_a_discarded_queue_is_taken_over_by_nobody(store: Store) -> None:
    run = begin(store, "r1")
    list_all(store, run, ["a.mp4", "b.mp4"])
    assert store.discard("r1") is None, "somebody works on it"
    lapse(store, run)
    finish(store, run, "cancelled")
    assert store.discard("r1") == 2
    following = begin(store, "r2")
    list_all(store, following, [])
    assert store.counts("r2").leftovers == 0
    assert store.work_left(following).waiting is False


# What is deleted


def test_prune_deletes_old_audit_and_keeps_every_media_id_and_the_run_of_every_object(store: Store) -> None:
    run = begin(store, "r1")
    list_all(store, run, ["a.mp4", "b.mp4"])
    settle(store, run)
    finish(store, run)
    empty = begin(store, "r2")
    list_all(store, empty, ["a.mp4", "b.mp4"])
    lapse(store, empty)
    finish(store, empty)
    assert store.prune(store.now() - dt.timedelta(hours=1)).calls == 0
    pruned = store.prune(store.now() + dt.timedelta(seconds=1))
    assert (pruned.runs, pruned.calls) == (2, 1)
    assert facts(store) == {"a.mp4": ("registered", "m-a.mp4", None), "b.mp4": ("registered", "m-b.mp4", None)}
    assert store.run("r1").spec.name == "nightly"
    with pytest.raises(KeyError):
        store.run("r2")


# Claiming and recording


def test_blocks_that_a_worker_emptied_do_not_stand_before_those_that_are_full(store: Store) -> None:
    # A worker that asks for less than it has emptied, and does not say which blocks it knows.
    run = begin(store, "r1")
    place = lister(store, run)
    scan = prefix_scan(store, run)
    for key in "abcd":
        scan = store.merge_page(run, place, scan, page([f"{key}.mp4"], cursor=key))
    place = store.take_place(run, slot="one", host="h")
    for keys in (["a.mp4", "b.mp4", "c.mp4"], ["d.mp4"], []):
        works = store.claim(run, place, most=3).works
        assert [work.key for work in works] == keys
        call = a_call(files=len(works))
        store.record(run, place, [call], [registered(work.key, call) for work in works])


def test_a_failed_object_keeps_its_place_until_it_is_settled_anew(store: Store) -> None:
    run = begin(store, "r1")
    list_all(store, run, ["a.mp4"])
    place = store.take_place(run, slot="one", host="h")
    (work,) = store.claim(run, place).works
    call = a_call()
    store.record(
        run, place, [call], [Settlement(key=work.key, outcome="failed", code="x", message="y", call_id=call.call_id)]
    )
    assert facts(store) == {"a.mp4": ("failed", None, "x")}
    assert store.outcome_counts(run) == {("failed", "x"): 1}


def test_failures_are_found_behind_any_number_that_were_settled_since(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vod_migrate.results.session._ROWS_AT_ONCE", 2)
    run = begin(store, "r1")
    keys = [f"{number}.mp4" for number in range(6)]
    list_all(store, run, keys)
    place = store.take_place(run, slot="one", host="h")
    assert len(store.claim(run, place).works) == 6
    call, late = a_call(files=6), a_call(files=3)
    failed = [Settlement(key=key, outcome="failed", code="x", message="y", call_id=call.call_id) for key in keys]
    store.record(run, place, [call], failed)
    store.record(run, place, [late], [registered(key, late) for key in keys[:3]])
    assert [one.key for one in store.failures(run, "x")] == keys[3:]


# The schema


def test_processes_that_upgrade_at_once_make_one_schema(databases: Databases) -> None:
    url = databases.create(migrated=False)
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(upgrade_schema(url))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["1"] * 4
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update vod_migrate.version set version = 99")
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
        assert connection.execute("select count(*) from pg_trigger where not tgisinternal").fetchone() == (0,)
    assert database_state(url).version == 99
    with pytest.raises(StoreTooNew):
        upgrade_schema(url)
    databases.drop(url)


def test_every_statement_names_the_schema_and_keeps_no_state_in_its_session(store: Store) -> None:
    # As behind a transaction pooler: another search path, other settings, and no prepared statements.
    with psycopg.connect(store.url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'alter database "{name}" set search_path = pg_catalog'.encode())
        connection.execute(f"alter database \"{name}\" set datestyle = 'German'".encode())
    with Store.open(store.url) as other:
        run = begin(other, "r1")
        list_all(other, run, [f"{BUCKET}.mp4"])
        assert settle(other, run) == 1
        assert other.counts("r1").registered == 1
