"""The totals that the recorder keeps are those of the rows, whatever happens to the objects and however many record at once."""

from __future__ import annotations

import threading

from nights import EVERYTHING
from rigging import BUCKET, Rig
from store_helpers import MOMENT, a_call, begin, finish, lapse, list_all, registered, settle

from vod_migrate.media import MediaObject
from vod_migrate.migration.options import Mode
from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.report.browse.objects import find_objects
from vod_migrate.report.browse.runs import runs_of_migration
from vod_migrate.report.browse.search import Search
from vod_migrate.results.repairs import FactRead, FoundMedia

# Each pair: what is kept, and the rows that it stands for.
PAIRS = (
    (
        "select migration_id, state, code, sum(objects)::int from vod_migrate.totals group by 1, 2, 3 having sum(objects) <> 0",
        """select migration_id, case when gone then 'gone' when registered then 'registered' else 'failed' end,
                  case when gone or registered then '' else code end, count(*)::int from vod_migrate.objects group by 1, 2, 3""",
    ),
    (
        "select run_no, stretch, answer, sum(calls)::int, sum(files)::int from vod_migrate.rates group by 1, 2, 3",
        """select run_no, floor(extract(epoch from started_at) / 5)::bigint, answer, count(*)::int, sum(files)::int
           from vod_migrate.calls group by 1, 2, 3""",
    ),
)


def assert_exact(rig: Rig) -> None:
    for kept, rows in PAIRS:
        assert sorted(rig.rows(kept)) == sorted(rig.rows(rows)) != []
    extents = "select migration_id, first_key, last_key from vod_migrate.extents"
    keys = "select migration_id, min(key), max(key) from vod_migrate.objects group by 1"
    assert rig.rows(extents) == rig.rows(keys)


def test_totals_follow_objects_that_fail_are_sent_again_disappear_and_return(rig: Rig) -> None:
    for number in range(25):
        rig.sandbox.put(BUCKET, f"films/{number:02}.mp4")
    rig.sandbox.put(BUCKET, "films/refused.mp4")
    rig.sandbox.fault("fail_files", key="films/refused.mp4")
    rig.run()
    assert_exact(rig)
    rig.sandbox.clear_faults()
    rig.run(mode="failed")
    rig.sandbox.delete(BUCKET, "films/07.mp4")
    rig.run()
    assert dict(
        rig.rows("select state, sum(objects)::int from vod_migrate.totals group by 1 having sum(objects) > 0")
    ) == {"registered": 25, "gone": 1}
    rig.sandbox.put(BUCKET, "films/07.mp4")
    rig.run(mode="all")
    assert_exact(rig)


def test_totals_are_exact_while_many_workers_record_at_once(rig: Rig) -> None:
    rig.sandbox.settings(quotas={"RegisterMedia": None})
    rig.store.set_quota("default", "RegisterMedia", 500)
    rig.sandbox.generate(BUCKET, count=800, dirt=0)
    rig.sandbox.fault("fail_files", rate=0.02)
    rig.sandbox.fault("omit_files", rate=0.02, sticky=False)
    run = rig.prepare()
    rig.discover(run)
    threads = [
        threading.Thread(target=rig.register, args=(run,), kwargs={"slot": slot}) for slot in ("one", "two", "three")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_exact(rig)
    assert rig.rows("select sum(objects)::int from vod_migrate.counts") == rig.rows(
        "select count(*)::int from vod_migrate.objects"
    )
    rig.store.recount()
    assert_exact(rig)


def test_a_call_without_outcomes_is_remembered_with_the_objects_that_it_carried(rig: Rig) -> None:
    for number in range(4):
        rig.sandbox.put(BUCKET, f"films/{number}.mp4")
    rig.sandbox.fault("http_503", api="RegisterMedia", count=1)
    rig.run()
    assert rig.rows("select answer, cardinality(carried) from vod_migrate.calls order by started_at") == [
        ("transient", 4),
        ("ok", None),
    ]


def test_the_pages_count_each_object_once_while_it_is_sent_and_sent_again(rig: Rig) -> None:
    store, keys = rig.store, [f"{number:02}.mp4" for number in range(30)]

    def told() -> tuple[int, int]:
        [line] = migrations_page(store, readable=EVERYTHING).lines
        assert line.objects == find_objects(store, Search(), readable=EVERYTHING).total == 30
        return line.pending, line.registered

    def left() -> list[int]:
        return [run.left for run in runs_of_migration(store, "default", "nightly", readable=EVERYTHING).lines]

    first = begin(store, "first")
    list_all(store, first, keys[:20])
    settle(store, first)
    finish(store, first)
    again = begin(store, "again", mode=Mode.ALL)
    list_all(store, again, keys)
    assert (told(), left()) == ((10, 20), [30, 0])

    place = store.take_place(again, slot="one", host="h")
    held = store.claim(again, place).works
    assert told() == (10, 20)
    for begun, pending in ((15, 5), (0, 5), (25, 0)):
        call = a_call(files=10)
        store.record(again, place, [call], [registered(work.key, call) for work in held[begun : begun + 10]])
        assert told() == (pending, 30 - pending)
    assert left() == [5, 0]
    store.leave(again, place)
    assert (told(), left()) == ((0, 30), [5, 0])
    assert rig.rows("select sum(objects)::int, sum(again)::int from vod_migrate.blocks") == [(5, 5)]


def test_what_waits_is_counted_by_its_fact_as_soon_as_there_is_one(rig: Rig) -> None:
    store, keys = rig.store, [f"{number:02}.mp4" for number in range(20)]

    def told(migration: str = "nightly") -> tuple[int, int]:
        [line] = [one for one in migrations_page(store, readable=EVERYTHING).lines if one.migration == migration]
        assert line.objects == find_objects(store, Search(migration=migration), readable=EVERYTHING).total
        return line.pending, line.registered

    for name, migration in (("trial", "trial"), ("dead", "nightly")):
        run = begin(store, name, migration=migration)
        list_all(store, run, keys)
        place = store.take_place(run, slot="one", host="h")
        if name == "dead":
            held = store.claim(run, place).works
        lapse(store, run)
    night = begin(store, "night")
    list_all(store, night, keys)
    assert (told(), told("trial")) == ((20, 0), (20, 0))
    late = a_call(files=5)
    store.record(run, place, [late], [registered(work.key, late) for work in held[:5]])
    assert (told(), told("trial")) == ((15, 5), (15, 0))
    settle(store, night)
    assert (told(), told("trial")) == ((0, 20), (0, 0))
    [line] = find_objects(store, Search(migration="nightly"), readable=EVERYTHING, most=1).lines
    assert store.forget_facts(night, [FactRead(key=line.key, settled_at=line.updated)]) == 1
    assert (told(), told("trial")) == ((0, 19), (1, 0))
    listed = MediaObject(bucket=BUCKET, key=line.key, size=1, etag="A" * 32, last_modified=MOMENT)
    assert store.import_media(night, [FoundMedia(object=listed, media_id="found")]) == 1
    assert (told(), told("trial")) == ((0, 20), (0, 0))
