"""Whole runs of the engine: real SDKs over HTTP, a real Postgres, the sandbox as the witness."""

from __future__ import annotations

import datetime as dt
import string
import threading
import time
from typing import Any
from urllib.parse import unquote

import pytest

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import AllRefused, BadOption, Denied, Interrupted, QuotaConflict, SourceDenied, ThresholdPassed
from vod_migrate.migration.options import RunOptions
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.run.settle import finish
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


@pytest.mark.smoke
def test_a_dirty_bucket_ends_with_results_equal_to_the_truth(rig: Any, sandbox: Sandbox) -> None:
    rig.unlimited()
    sandbox.generate(BUCKET, count=1_500, missing=0.01, seed=7)
    summary = rig.run()
    rig.assert_results_equal_truth()
    expected = sandbox.expected(BUCKET)
    counts = summary.counts
    assert summary.state == "succeeded"
    assert counts.discovered == len(expected)
    missing = {key for key, item in expected.items() if item.missing}
    refused = {key for key, (state, _, code) in rig.results().items() if (state, code) == ("failed", "file_refused")}
    assert refused == missing & set(rig.results())
    assert refused
    assert counts.settled + sum(counts.left_out.values()) == counts.discovered
    assert {"extension", "archived", "folder_marker", "empty", "no_extension"} <= set(counts.left_out)
    assert counts.pending == counts.unknown == 0


@pytest.mark.smoke
def test_a_second_run_over_an_unchanged_bucket_sends_no_call(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=300, missing=0.05, seed=3)
    first = rig.run()
    sandbox.reset_counters()
    second = rig.run()
    assert rig.calls() == second.calls == 0
    assert second.counts.unchanged == first.counts.registered + first.counts.already_registered
    assert second.counts.failed_before == first.counts.failed > 0


def test_a_listing_tells_the_planner_how_much_work_there_is(rig: Any) -> None:
    for number in range(20):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    assert rig.rows("select reltuples from pg_class where relname = 'work'") == [(-1,)]
    rig.discover(rig.prepare())
    assert rig.rows("select reltuples from pg_class where relname = 'work'") == [(20,)]


def test_a_rerun_of_the_failed_sends_only_the_failed(rig: Any, sandbox: Sandbox) -> None:
    for number in range(25):
        sandbox.put(BUCKET, f"film {number:02}.mp4")
    sandbox.fault("fail_files", key="film 0?.mp4")
    first = rig.run()
    assert (first.counts.registered, first.counts.failed) == (15, 10)
    sandbox.clear_faults()
    sandbox.reset_counters()
    again = rig.run(mode="failed")
    assert (again.counts.registered, again.counts.discovered, again.calls) == (10, 0, 1)
    assert rig.calls() == 1
    rig.assert_results_equal_truth()


def test_a_file_refused_once_is_tried_again_alone_before_it_fails(rig: Any, sandbox: Sandbox) -> None:
    for number in range(10):
        sandbox.put(BUCKET, f"{number}.mp4")
    sandbox.fault("fail_files", key="3.mp4", count=1)
    summary = rig.run()
    assert summary.counts.registered == 10
    assert [row[0] for row in rig.rows("select files from vod_migrate.calls order by started_at")] == [10, 1]


ODD_KEYS = (
    *(f"ascii/{character}{ord(character):02x}.mp4" for character in string.printable[:95] if character != "/"),
    "采访/第一集 最终版.mp4",
    "emoji/🎬🎞️.mp4",
    "emoji/👨‍👩‍👧.MP4",
    "percent/100%41.mp4",
    "percent/100%2541.mp4",
    "percent/100A.mp4",
    "plus/a+b c%20d.mp4",
    "dots/../up.mp4",
    "dots/./here.mp4",
    "double//slash.mp4",
    "query?x=1&y=2#part.mp4",
    "quote/'\"`.mp4",
    "back\\slash.mp4",
    "trailing space .mp4",
    "ünï/çödé é.mp4",
    "rtl/\u202efdp.mp4",
    "tab\tand\nnewline.mp4",
)


@pytest.mark.parametrize("encoding", ["percent", "raw"])
def test_odd_keys_are_registered_under_the_right_url_and_found_again(rig: Any, sandbox: Sandbox, encoding: str) -> None:
    sandbox.settings(url_encoding=encoding)
    for key in ODD_KEYS:
        sandbox.put(BUCKET, key)
    summary = rig.run(rig.migration(register={"url_encoding": encoding}))
    assert summary.counts.registered == len(ODD_KEYS)
    truth = sandbox.truth(BUCKET)
    assert set(truth) == set(ODD_KEYS) == set(rig.results())
    rig.assert_results_equal_truth()
    for key, item in truth.items():
        path = item.file_url.partition(f"https://{BUCKET}.oss-cn-shanghai.aliyuncs.com/")[2]
        assert (unquote(path) if encoding == "percent" else path) == key
        assert 1 <= len(item.title.encode()) <= 128


def test_overlapping_migrations_register_each_object_once_under_its_owners_description(
    rig: Any, sandbox: Sandbox
) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"shows/a/{number}.mp4")
        sandbox.put(BUCKET, f"shows/b/{number}.mp4")
    narrow = rig.migration("narrow", source={"prefixes": ["shows/a/"]}, describe={"title": "narrow {{ stem }}"})
    wide = rig.migration("wide", source={"prefixes": ["shows/"]}, describe={"title": "wide {{ stem }}"})
    runs = [rig.prepare(narrow), rig.prepare(wide)]
    threads = [threading.Thread(target=step, args=(run,)) for run in runs for step in (rig.discover, rig.register)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    summaries = [finish(store=rig.store, run_id=run.run_id) for run in runs]
    truth = sandbox.truth(BUCKET)
    assert len(truth) == sum(summary.counts.registered for summary in summaries) == 60
    assert all(item.registrations == 1 for item in truth.values())
    owners = dict(
        rig.rows("select key, name from vod_migrate.objects join vod_migrate.migrations using (migration_id)")
    )
    assert all(item.title.startswith(owners[key]) for key, item in truth.items())
    told = [summary.counts.owned_elsewhere + summary.counts.queued_elsewhere for summary in summaries]
    assert sum(told) == 30, "what is not settled yet is nobody's, but is queued once"


@pytest.mark.parametrize(
    ("options", "expected", "reason"),
    [
        ({"limit": 7}, 7, "no more than the limit"),
        ({"prefixes": ["a/", "a/sub/"]}, 12, "these prefixes instead of the file's; the inner one is not listed twice"),
        ({"modified_since": "2999-01-01"}, 0, "nothing was modified in the future"),
        ({"modified_since": "2001-01-01T00:00:00+08:00"}, 24, "everything was modified since"),
    ],
)
def test_options_of_a_run(rig: Any, sandbox: Sandbox, options: dict[str, Any], expected: int, reason: str) -> None:
    for number in range(12):
        sandbox.put(BUCKET, f"a/{'sub/' if number % 2 else ''}{number}.mp4")
        sandbox.put(BUCKET, f"b/{number}.mp4")
    summary = rig.run(**options)
    assert summary.counts.registered == expected, reason
    assert summary.state == "succeeded"
    assert rig.run().counts.registered == 24 - expected, "the next run without options takes the rest"


def test_a_dated_prefix_without_a_date_is_refused_and_with_one_lists_that_day(rig: Any, sandbox: Sandbox) -> None:
    for day in (1, 2, 3):
        sandbox.put(BUCKET, f"in/2026-03-0{day}/x.mp4")
    dated = rig.migration(source={"prefixes": ["in/{{ date }}/"]})
    with pytest.raises(BadOption, match=r"--date YYYY-MM-DD"):
        rig.prepare(dated)
    assert rig.rows("select * from vod_migrate.runs") == []
    assert rig.run(dated, date="2026-03-02").counts.registered == 1
    run = rig.prepare(dated, local_date=dt.date(2026, 3, 3))
    rig.discover(run)
    rig.register(run)
    assert set(sandbox.truth(BUCKET)) == {"in/2026-03-02/x.mp4", "in/2026-03-03/x.mp4"}


def test_a_changed_object_is_counted_and_not_sent_again(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4", b"old")
    rig.run()
    sandbox.put(BUCKET, "a.mp4", b"new")
    summary = rig.run()
    assert (summary.counts.changed, summary.calls) == (1, 0)


def test_an_object_that_left_the_bucket_is_gone_keeps_its_media_id_and_comes_back(rig: Any, sandbox: Sandbox) -> None:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        sandbox.put(BUCKET, name)
    rig.run()
    media_id = sandbox.truth(BUCKET)["b.mp4"].media_id
    sandbox.delete(BUCKET, "b.mp4")
    assert rig.run(limit=1).counts.gone == 0, "a run with a limit has not seen the whole prefix"
    assert rig.run(prefixes=["a"]).counts.gone == 0, "the key lies outside the listed prefix"
    assert rig.run().counts.gone == 1
    assert rig.results()["b.mp4"] == ("gone", media_id, None)
    sandbox.put(BUCKET, "b.mp4")
    summary = rig.run()
    assert (summary.calls, summary.counts.gone) == (0, 0)
    assert rig.results()["b.mp4"] == ("registered", media_id, None)


def test_the_last_objects_of_a_prefix_can_be_gone_too(rig: Any, sandbox: Sandbox) -> None:
    for name in ("a.mp4", "z1.mp4", "z2.mp4"):
        sandbox.put(BUCKET, name)
    rig.run()
    for name in ("a.mp4", "z1.mp4", "z2.mp4"):
        sandbox.delete(BUCKET, name)
    assert rig.run().counts.gone == 3


def test_a_listing_that_breaks_off_marks_nothing_as_gone_and_registers_what_it_found(
    rig: Any, sandbox: Sandbox
) -> None:
    rig.waits(take_over=0.5)
    rig.unlimited()
    sandbox.generate(BUCKET, count=1_200, dirt=0)
    rig.run(limit=5)
    sandbox.fault("throttle", api="ListObjects", skip=1)
    run = rig.prepare()
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    with pytest.raises(Interrupted):
        rig.discover(run, stop)
    assert rig.rows("select count(*) from vod_migrate.objects where gone") == [(0,)]
    assert [scan.page_no for scan in rig.store.open_scans(run)] == [1]
    sandbox.clear_faults()
    rig.register(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "succeeded"
    assert len(sandbox.truth(BUCKET)) == 1_200


def test_too_many_failures_stop_the_run_and_the_rest_stays_pending(rig: Any, sandbox: Sandbox) -> None:
    rig.unlimited()
    sandbox.generate(BUCKET, count=1_000, dirt=0)
    sandbox.fault("fail_files", rate=0.5)
    summary = rig.run(rig.migration(stop_after={"min_outcomes": 100}), calls_per_second=10)
    assert isinstance(summary.error, ThresholdPassed)
    assert summary.state == "stopped"
    assert summary.counts.pending > 100
    assert summary.counts.failed > 20
    assert summary.counts.settled + summary.counts.pending + summary.counts.unknown == 1_000
    sandbox.clear_faults()
    assert rig.run().counts.pending == 0
    rig.run(mode="failed")
    assert len(sandbox.truth(BUCKET)) == 1_000
    rig.assert_results_equal_truth()


def test_one_poisoned_file_is_isolated_and_the_other_nine_are_registered(rig: Any, sandbox: Sandbox) -> None:
    sandbox.settings(missing_file="refuse")
    for number in range(20):
        sandbox.put(BUCKET, f"{number:02}.mp4")
    run = rig.prepare()
    rig.discover(run)
    sandbox.delete(BUCKET, "03.mp4")
    rig.register(run)
    summary = finish(store=rig.store, run_id=run.run_id)
    assert (summary.counts.registered, summary.counts.failed) == (19, 1)
    assert summary.calls <= 2 + 8
    state, _, code = rig.results()["03.mp4"]
    assert (state, bool(code)) == ("failed", True)
    assert rig.rows(
        "select c.request_id is not null, o.run_no from vod_migrate.objects o join vod_migrate.calls c using (call_id) where key = '03.mp4'"
    ) == [(True, run.run_no)]


def test_a_wrong_template_group_stops_the_run_and_burns_nothing(rig: Any, sandbox: Sandbox) -> None:
    for number in range(20):
        sandbox.put(BUCKET, f"{number}.mp4")
    summary = rig.run(rig.migration(register={"template_group_id": "0" * 32}))
    assert isinstance(summary.error, AllRefused)
    assert "template" in str(summary.error).lower()
    assert (summary.counts.failed, summary.counts.pending) == (0, 20)
    assert rig.run().counts.registered == 20


@pytest.mark.smoke
def test_missing_permission_stops_the_run_at_once_and_the_next_one_goes_on(rig: Any, sandbox: Sandbox) -> None:
    for number in range(30):
        sandbox.put(BUCKET, f"{number}.mp4")
    sandbox._do(lambda world: world.accounts.first.config.deny.append("vod:RegisterMedia"))
    summary = rig.run()
    assert isinstance(summary.error, Denied)
    assert summary.error.exit_code == 3
    assert (summary.counts.failed, summary.counts.pending) == (0, 30)
    assert rig.calls() <= 2
    sandbox._do(lambda world: world.accounts.first.config.deny.clear())
    assert rig.run().counts.registered == 30


def test_missing_permission_to_list_fails_the_run_and_names_the_fix(rig: Any, sandbox: Sandbox) -> None:
    sandbox._do(lambda world: world.accounts.first.config.deny.append("oss:ListObjects"))
    summary = rig.run()
    assert isinstance(summary.error, SourceDenied)
    assert "oss:ListObjects" in str(summary.error)
    assert summary.state == "failed"


def test_throttling_costs_no_object_an_attempt(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=300, dirt=0)
    sandbox.settings(quotas={"RegisterMedia": 12})
    summary = rig.run()
    assert summary.counts.registered == 300
    assert summary.throttled > 0
    assert rig.rows("select count(*) from vod_migrate.events where what in ('retry', 'failed')") == [(0,)]
    assert rig.store.quotas()[0][4] < 1, "the whole account has slowed down"


@pytest.mark.parametrize("kind", ["http_503", "html_502", "reset"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_trouble_on_the_way_costs_no_object_an_attempt(rig: Any, sandbox: Sandbox, kind: str, when: str) -> None:
    sandbox.generate(BUCKET, count=200, dirt=0)
    sandbox.fault(kind, api="RegisterMedia", rate=0.3, when=when)
    summary = rig.run()
    assert summary.counts.registered + summary.counts.already_registered == 200
    assert summary.counts.unknown == 0
    rig.assert_results_equal_truth()
    assert rig.rows("select count(*) from vod_migrate.events where what in ('retry', 'failed')") == [(0,)]


def test_a_file_in_neither_list_is_tried_again_and_fails_after_five_silences(rig: Any, sandbox: Sandbox) -> None:
    for number in range(10):
        sandbox.put(BUCKET, f"{number}.mp4")
    sandbox.fault("omit_files", key="4.mp4")
    sandbox.fault("omit_files", key="5.mp4", count=2)
    summary = rig.run()
    assert summary.counts.registered + summary.counts.already_registered == 9
    state, _, code = rig.results()["4.mp4"]
    assert (state, code) == ("failed", "no_answer")


def test_a_url_beyond_the_limit_is_a_failed_result_and_no_call(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "长" * 330 + ".mp4")
    summary = rig.run()
    assert (summary.counts.failed, summary.calls) == (1, 0)
    assert [row[2] for row in rig.results().values()] == ["url_too_long"]


def test_register_without_a_discover_task_lists_by_itself(rig: Any, sandbox: Sandbox) -> None:
    rig.waits(take_over=0.5)
    sandbox.generate(BUCKET, count=50, dirt=0)
    run = rig.prepare()
    rig.register(run)
    assert len(sandbox.truth(BUCKET)) == 50
    rig.discover(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "succeeded"


def test_stopping_lets_go_within_four_seconds_and_the_next_run_goes_on(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=2_000, dirt=0)
    sandbox.settings(latency_ms=300)
    run = rig.prepare()
    rig.discover(run)
    stop, told = threading.Event(), []
    threading.Timer(1.5, lambda: (told.append(time.monotonic()), stop.set())).start()
    with pytest.raises(Interrupted):
        rig.register(run, stop)
    assert time.monotonic() - told[0] < 4
    assert rig.rows("select count(*) from vod_migrate.workers where slot = 'one' and expires_at > now()") == [(0,)]
    assert rig.rows("select count(*) from vod_migrate.blocks where token is not null") == [(0,)]
    assert finish(store=rig.store, run_id=run.run_id).state == "interrupted"
    sandbox.settings(latency_ms=0)
    again = rig.run()
    assert again.counts.pending == 0
    rig.assert_results_equal_truth()
    assert len(sandbox.truth(BUCKET)) == 2_000


def test_a_worker_in_the_same_slot_takes_its_predecessors_claims_at_once(rig: Any, sandbox: Sandbox) -> None:
    for number in range(25):
        sandbox.put(BUCKET, f"{number}.mp4")
    run = rig.prepare()
    rig.discover(run)
    dead = rig.store.take_place(run, slot="one", host="dead")
    assert len(rig.store.claim(run, dead).works) == 25
    rig.register(run, slot="one")
    assert len(sandbox.truth(BUCKET)) == 25


def test_a_worker_waits_for_what_a_living_sibling_holds(rig: Any, sandbox: Sandbox) -> None:
    for number in range(25):
        sandbox.put(BUCKET, f"{number}.mp4")
    run = rig.prepare()
    rig.discover(run)
    sibling = rig.store.take_place(run, slot="two", host="alive")
    rig.store.claim(run, sibling, most=5)
    threading.Timer(1.0, rig.store.leave, args=(run, sibling)).start()
    rig.register(run, slot="one")
    assert len(sandbox.truth(BUCKET)) == 25


def test_two_connections_that_disagree_on_the_pace_are_refused_by_name(rig: Any) -> None:
    rig.prepare()
    slower = Connection(**{**vars(rig.connection), "calls_per_second": 20.0})
    with pytest.raises(QuotaConflict, match="47"):
        prepare(
            store=rig.store,
            connection=slower,
            migration=rig.migration(),
            options=rig.prepare().options,
            origin=Origin(),
        )


def test_a_runs_own_pace_is_kept(rig: Any, sandbox: Sandbox) -> None:
    sandbox.generate(BUCKET, count=100, dirt=0)
    began = time.monotonic()
    summary = rig.run(calls_per_second=4)
    assert summary.counts.registered == 100
    assert time.monotonic() - began >= 9 / 4
    assert [row[2] for row in rig.store.quotas()] == [""], "the run's cap ended with it"


def test_an_airflow_retry_finds_the_same_run_and_a_cleared_dag_run_begins_a_new_one(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    origin = Origin(kind="airflow", dag_id="d", dag_run_id="r")

    def begin() -> Any:
        return prepare(
            store=rig.store,
            connection=rig.connection,
            migration=rig.migration(),
            options=RunOptions(),
            origin=origin,
        )

    run = begin()
    assert begin().run_id == run.run_id
    rig.discover(run)
    rig.register(run)
    assert finish(store=rig.store, run_id=run.run_id).state == "succeeded"
    sandbox.put(BUCKET, "b.mp4")
    again = begin()
    assert (again.run_id != run.run_id, again.state) == (True, "running")
    assert begin().run_id == again.run_id
    rig.discover(again)
    rig.register(again)
    summary = finish(store=rig.store, run_id=again.run_id)
    assert (summary.state, summary.counts.registered, summary.counts.unchanged) == ("succeeded", 1, 1)
    assert rig.store.counts(run.run_id).registered == 1, "the first run's numbers stay its own"


def test_mode_all_sends_everything_again_and_finds_it_registered(rig: Any, sandbox: Sandbox) -> None:
    for number in range(12):
        sandbox.put(BUCKET, f"{number}.mp4")
    rig.run()
    summary = rig.run(mode="all")
    assert (summary.counts.already_registered, summary.counts.registered) == (12, 0)
    rig.assert_results_equal_truth()


def test_failed_objects_are_tried_again_for_as_many_nights_as_asked(rig: Any, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "a.mp4")
    sandbox.fault("fail_files")
    patient = rig.migration(register={"retry_failed": 2})
    assert [rig.run(patient).calls for _ in range(4)] == [2, 2, 2, 0]
