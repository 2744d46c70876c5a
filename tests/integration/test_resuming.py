"""Resuming: a new run over the rest of an earlier one, and nothing else."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from vod_migrate.errors import BadOption, BadSetting, Interrupted
from vod_migrate.migration.options import parse_options
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan
from vod_migrate.results.scans import Scans
from vod_migrate.run import control
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


def put(sandbox: Sandbox, prefix: str, count: int) -> None:
    for number in range(count):
        sandbox.put(BUCKET, f"{prefix}/{number:03}.mp4")


def sent(sandbox: Sandbox, prefix: str) -> int:
    return sum(key.startswith(f"{prefix}/") for key in sandbox.truth(BUCKET))


def resumed(rig: Any, before: str, migration: Any = None, **options: Any) -> Run:
    return rig.prepare(migration, resume=before, **options)  # type: ignore[no-any-return]


def test_a_narrowed_run_is_resumed_over_its_own_rest_run_after_run(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 50)
    put(sandbox, "b", 50)
    narrowed = rig.run(prefixes=["a/"], max_objects=20)
    other = rig.run(prefixes=["b/"], max_objects=10)
    assert (narrowed.state, other.state) == ("paused", "paused")
    second = resumed(rig, narrowed.run_id)
    assert (second.options.prefixes, second.options.max_objects) == (("a/",), 20)
    summary = rig.complete(second)
    assert (summary.state, summary.counts.registered, summary.counts.pending) == ("paused", 20, 10)
    assert (sent(sandbox, "a"), sent(sandbox, "b")) == (40, 10)
    third = rig.complete(resumed(rig, second.run_id))
    assert (third.state, third.counts.registered, third.counts.pending) == ("succeeded", 10, 0)
    assert (sent(sandbox, "a"), sent(sandbox, "b")) == (50, 10)
    assert rig.run().counts.registered == 40


def test_what_a_resumed_run_had_not_taken_over_yet_is_resumed_with_it(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 50)
    first = rig.run(prefixes=["a/"], max_objects=10)
    second = resumed(rig, first.run_id)
    rig.lapse(second)
    control.pause(rig.store, second.run_id, by="Maria")
    assert rig.store.run(second.run_id).summary["counts"]["pending"] == 40
    assert rig.rows("select distinct queue_no from vod_migrate.work") == [(rig.store.run(first.run_id).queue_no,)]
    third = rig.complete(resumed(rig, second.run_id, max_objects=1_000))
    assert (third.state, third.counts.registered) == ("succeeded", 40)


def test_the_listing_goes_on_where_it_stopped_and_still_finds_what_is_gone(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.generate(BUCKET, count=3_000, dirt=0)
    sandbox.settings(quotas={"RegisterMedia": None})
    rig.store.set_quota("default", "RegisterMedia", 1_000)
    rig.run()
    gone = [sorted(rig.results())[number] for number in (5, 2_500)]
    for key in gone:
        sandbox.delete(BUCKET, key)
    stop, real = threading.Event(), Scans.merge_page

    def merge_page(*arguments: Any) -> Scan:
        after = real(*arguments)
        stop.set()
        return after

    monkeypatch.setattr(Scans, "merge_page", merge_page)
    run = rig.prepare()
    with pytest.raises(Interrupted):
        rig.discover(run, stop)
    monkeypatch.undo()
    rig.lapse(run)
    control.pause(rig.store, run.run_id, by="Maria")
    pages = rig.rows("select page_no from vod_migrate.scans where run_no = %s and kind = 'prefix'", run.run_no)[0][0]
    sandbox.reset_counters()
    summary = rig.complete(resumed(rig, run.run_id))
    assert summary.state == "succeeded"
    assert sandbox.counters()["ListObjects"]["requests"] == 3 - pages + 1, (
        "no page is listed twice, and one look is behind the end"
    )
    assert {key: state for key, (state, _, _) in rig.results().items() if state != "registered"} == dict.fromkeys(
        gone, "gone"
    )


def test_a_resumed_run_goes_by_the_file_it_was_begun_with_and_by_what_is_left_of_its_limit(
    rig: Any, sandbox: Sandbox
) -> None:
    put(sandbox, "a", 40)
    first = rig.run(rig.migration(describe={"title": "old {{ stem }}"}), limit=30, max_objects=10)
    changed = rig.migration(describe={"title": "new {{ stem }}"})
    run = resumed(rig, first.run_id, changed, max_objects=100, calls_per_second=30)
    assert (run.options.max_objects, run.options.calls_per_second) == (100, 30)
    assert rig.complete(run).counts.registered == 20
    assert {item.title[:3] for item in sandbox.truth(BUCKET).values()} == {"old"}
    assert len(sandbox.truth(BUCKET)) == 30


def test_a_rerun_of_some_codes_is_resumed_as_such(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "proof.mp4")
    assert rig.run().counts.registered == 1
    put(sandbox, "a", 30)
    sandbox.fault("fail_files")
    rig.run()
    sandbox.clear_faults()
    with rig.store.connection() as connection:
        connection.execute("update vod_migrate.objects set code = 'no_answer' where key < 'a/020' and not registered")
    first = rig.run(mode="failed", codes=["no_answer"], max_objects=5)
    assert (first.state, first.counts.registered) == ("paused", 5)
    last = rig.complete(resumed(rig, first.run_id, max_objects=100))
    assert (last.state, last.counts.registered) == ("succeeded", 15)
    assert rig.rows("select count(*) from vod_migrate.objects where not registered") == [(10,)]


def test_a_retried_prepare_of_a_resumed_run_finds_the_same_run(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 20)
    first = rig.run(max_objects=10)
    migration = rig.migration()

    def again() -> Run:
        return prepare(
            store=rig.store,
            connection=rig.connection,
            migration=migration,
            options=parse_options({"resume": first.run_id, "mode": "new", "max_objects": None}),
            origin=Origin(kind="airflow", dag_id="d", dag_run_id="manual"),
        )

    run = again()
    rig.register(run)
    assert again().run_id == run.run_id
    with pytest.raises(BadOption, match="has nothing left"):
        resumed(rig, first.run_id)


def test_what_cannot_be_resumed_is_said_so_with_the_way_on(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 20)
    paused = rig.run(max_objects=10)
    with pytest.raises(BadOption, match="there is no run 'nobody'"):
        resumed(rig, "nobody")
    with pytest.raises(BadOption, match=r"leave limit, mode, prefixes out; you may change only: calls_per_second"):
        resumed(rig, paused.run_id, mode="failed", prefixes=["a/"], limit=3)
    with pytest.raises(BadOption, match="belongs to 'nightly', not to 'other'"):
        resumed(rig, paused.run_id, rig.migration("other"))
    other = rig.prepare()
    with pytest.raises(BadOption, match="is under way: wait for its end, or pause it"):
        resumed(rig, other.run_id)
    rig.lapse(other)
    control.cancel(rig.store, other.run_id, by="Maria")
    with pytest.raises(BadOption, match="was cancelled and cannot be resumed"):
        resumed(rig, other.run_id)
    rig.connection = rig.connection.__class__(**{**vars(rig.connection), "region": "cn-beijing"})
    with pytest.raises(BadSetting, match="region"):
        resumed(rig, paused.run_id)


def test_a_run_whose_process_was_killed_can_be_resumed_at_once(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 20)
    killed = rig.prepare(prefixes=["a/"])
    rig.discover(killed)
    rig.lapse(killed)
    summary = rig.complete(resumed(rig, killed.run_id))
    assert (summary.state, summary.counts.registered) == ("succeeded", 20)
    assert rig.store.run(killed.run_id).state == "interrupted"


def test_nobody_settles_a_run_of_another_migration_by_resuming_it(rig: Any, sandbox: Sandbox) -> None:
    put(sandbox, "a", 3)
    killed = rig.prepare()
    rig.discover(killed)
    rig.lapse(killed)
    with pytest.raises(BadOption, match="belongs to 'nightly', not to 'other'"):
        resumed(rig, killed.run_id, rig.migration("other"))
    assert rig.store.run(killed.run_id).state == "running"
