"""What the results store reads, writes and keeps for each object, whatever else is in the database."""

from __future__ import annotations

import datetime as dt
import statistics
import threading
import time
from typing import Any

import psycopg
import pytest
from store_helpers import (
    a_call,
    begin,
    facts,
    finish,
    list_all,
    registered,
    settle,
)

from vod_migrate.results.store import Store
from vod_migrate.results.work import Settlement


@pytest.mark.alone
def test_an_idle_worker_asks_only_its_own_queue_however_much_others_have(store: Store) -> None:
    other = begin(store, "r1", migration="other")
    with store.connection() as connection:
        connection.execute(
            "insert into vod_migrate.blocks (queue_no, objects) select %s, 500 from generate_series(1, 400)",
            (other.queue_no,),
        )
        connection.execute(
            "insert into vod_migrate.work (source_id, queue_no, block_id, key) "
            "select %s, %s, 1 + n / 500, 'other/' || n from generate_series(0, 199999) n",
            (other.source_id, other.queue_no),
        )
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("analyze vod_migrate.work, vod_migrate.blocks")
    run = begin(store, "r2")
    list_all(store, run, [])
    place = store.take_place(run, slot="one", host="h")
    for query in (
        lambda: store.claim(run, place),
        lambda: store.work_left(run),
        lambda: store.renew(place),
        lambda: store.signal(run.run_id),
        lambda: store.open_scans(run),
    ):
        seconds = []
        for _ in range(9):
            began = time.perf_counter()
            query()
            seconds.append(time.perf_counter() - began)
        # Linear in 200,000 rows it would be 70 ms; the bound leaves room for a busy machine.
        assert statistics.median(seconds) < 0.03, (query, seconds)


def test_recording_a_call_reads_none_of_the_ranges_that_listings_left(store: Store) -> None:
    run = begin(store, "r1")
    list_all(store, run, ["a.mp4", "b.mp4"])
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute(
            "insert into vod_migrate.ranges select %s, %s, '', n::text, n::text, 0, 0, 1000, null, '', '', '{}' "
            "from generate_series(1, 5000) n",
            (run.migration_id, run.source_id),
        )
        connection.execute("analyze vod_migrate.ranges")
    before = scans_of_ranges(store)
    settle(store, run)
    assert set(facts(store)) == {"a.mp4", "b.mp4"}
    assert scans_of_ranges(store) == before


def scans_of_ranges(store: Store) -> int:
    """How often the whole table was read."""
    for pool in (store._pool, store._rate_pool):
        for _ in range(pool.max_size):
            with pool.connection() as connection:
                connection.execute("select pg_stat_force_next_flush()")
    with store.connection() as connection:
        row = connection.execute("select seq_scan from pg_stat_user_tables where relname = 'ranges'").fetchone()
    assert row is not None
    return int(row["seq_scan"])


def test_an_object_takes_at_most_600_bytes_and_settled_work_gives_its_room_back(store: Store) -> None:
    count = 20_000
    keys = [f"interviews/2024/season-{number % 40:02}/episode-{number:08}-final.mp4" for number in range(count)]
    keys = [key.ljust(60, "x") for key in keys]
    run = begin(store, "r1")
    list_all(store, run, keys)
    place = store.take_place(run, slot="one", host="h")
    known: tuple[int, ...] = ()
    while (claimed := store.claim(run, place, known=known)).works:
        known = claimed.blocks
        works = claimed.works
        assert store.renew(place)
        calls, settlements = [], []
        for start in range(0, len(works), 10):
            call = a_call(files=10)
            calls.append(call)
            settlements += [
                registered(work.key, call, media_id=f"{hash(work.key) & (2**128 - 1):032x}")
                for work in works[start : start + 10]
            ]
        assert store.record(run, place, calls, settlements) == len(works)
    store.leave(run, place)
    finish(store, run)
    store.prune(store.now() - dt.timedelta(days=1))
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("vacuum vod_migrate.objects")
        sizes = dict(
            connection.execute(
                "select relname, pg_total_relation_size(oid) from pg_class where relnamespace = 'vod_migrate'::regnamespace and relkind = 'r'"
            ).fetchall()
        )
    a_fact = sum(size for name, size in sizes.items() if name not in ("work", "blocks")) / count
    assert len(facts(store)) == count
    assert a_fact <= 600, sizes
    assert sizes["work"] < 200_000, "the work of settled objects is still there"


def test_recording_reads_only_its_own_objects_while_the_database_knows_nothing_about_its_tables(store: Store) -> None:
    # As in the first minutes of a first night, before an autovacuum has analyzed anything.
    run = begin(store, "r1")
    list_all(store, run, ["a.mp4"])
    place = store.take_place(run, slot="one", host="h")
    with store.connection() as connection:
        connection.execute("alter table vod_migrate.work set (autovacuum_enabled = off)")
        connection.execute(
            "insert into vod_migrate.blocks (queue_no, objects, token) select %s, 500, %s from generate_series(1, 100)",
            (run.queue_no, place.token),
        )
        connection.execute(
            "insert into vod_migrate.work (source_id, queue_no, block_id, key) "
            "select %s, %s, (select min(block_id) from vod_migrate.blocks) + 1 + n / 500, n || '.mp4' from generate_series(0, 49999) n",
            (run.source_id, run.queue_no),
        )

    def keys_read() -> int:
        with store._rate_pool.connection() as connection:
            connection.execute("select pg_stat_force_next_flush()")
            row = connection.execute(
                "select idx_tup_read as n from pg_stat_user_indexes where indexrelname = 'work_pkey'"
            ).fetchone()
        assert row is not None
        return int(row["n"])

    for outcome in ("registered", "retry", "unsure"):
        keys_read()
        before = keys_read()
        call = a_call(files=300)
        part = [
            Settlement(key=f"{number}.mp4", outcome=outcome, media_id=f"{outcome}-{number}", call_id=call.call_id)
            for number in range(300)
        ]
        store.record(run, place, [call], part)
        keys_read()
        assert keys_read() - before < 5 * len(part), outcome


@pytest.mark.parametrize("analyzed", [False, True])
def test_recording_reads_no_other_facts_however_many_buckets_the_account_has(store: Store, analyzed: bool) -> None:
    run = begin(store, "r1")
    list_all(store, run, [f"{number}.mp4" for number in range(100)])
    place = store.take_place(run, slot="one", host="h")
    works = store.claim(run, place).works
    with store.connection() as connection:
        connection.execute(
            "insert into vod_migrate.sources (account, bucket) select 'default', 'bucket-' || n from generate_series(1, 40) n"
        )
        connection.execute(
            "insert into vod_migrate.objects (source_id, migration_id, run_no, registered, key, media_id) "
            "select s.source_id, %s, %s, true, n, md5(s.source_id || ' ' || n) "
            "from vod_migrate.sources s, generate_series(1, 500) n",
            (run.migration_id, run.run_no),
        )
        if analyzed:
            connection.execute("analyze vod_migrate.objects, vod_migrate.sources")

    def rows_read() -> int:
        with store._rate_pool.connection() as connection:
            connection.execute("select pg_stat_force_next_flush()")
            row = connection.execute(
                "select seq_tup_read as n from pg_stat_user_tables where relname = 'objects'"
            ).fetchone()
        assert row is not None
        return int(row["n"])

    rows_read()
    before = rows_read()
    call = a_call(files=len(works))
    store.record(
        run,
        place,
        [call],
        [
            Settlement(key=work.key, outcome="registered", media_id=f"of {work.key}", call_id=call.call_id)
            for work in works
        ],
    )
    rows_read()
    assert rows_read() == before


def test_calls_of_many_threads_share_commits(store: Store) -> None:
    from vod_migrate.results.recorder import Recorder  # noqa: PLC0415

    run = begin(store, "r1")
    keys = [f"{number:04}.mp4" for number in range(400)]
    list_all(store, run, keys)
    place = store.take_place(run, slot="one", host="h")
    store.claim(run, place)
    recorder, commits = Recorder(store, run, place), []
    record = store.record

    def slow(*arguments: Any) -> int:
        commits.append(1)
        time.sleep(0.02)
        return record(*arguments)

    store.record = slow  # type: ignore[method-assign]

    def send(part: list[str]) -> None:
        for key in part:
            call = a_call()
            recorder.record(call, [registered(key, call)])

    threads = [threading.Thread(target=send, args=(keys[number::20],)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.outcome_counts(run) == {("registered", ""): 400}
    assert len(commits) < 100
