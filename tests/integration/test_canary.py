"""The first files of a run with unproven settings go alone, are looked at, and stop the run where they must."""

from __future__ import annotations

import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from vod_migrate.errors import CanaryFailed, Interrupted, VodMigrateError
from vod_migrate.register import canary
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"
ODD = [
    "节目 1+2.mp4",
    "a/100% \U0001f600.mp4",
    "a/b%20c.mp4",
    "a//d?e#f&g.mp4",
    "a/'(1)[2].mp4",
    "a/" + "长" * 90 + ".mp4",
]


def fill(sandbox: Sandbox, plain: int = 60, odd: list[str] | None = None) -> None:
    for number in range(plain):
        sandbox.put(BUCKET, f"z/{number:03d}.mp4", b"plain")
    for number, key in enumerate(ODD if odd is None else odd):
        sandbox.put(BUCKET, key, b"o" * (100 + number))


def first_call(rig: Any) -> set[str]:
    query = """select key from vod_migrate.objects
               where call_id = (select call_id from vod_migrate.calls order by started_at limit 1)"""
    return {key for (key,) in rig.rows(query)}


def looked_at(sandbox: Sandbox) -> int:
    return int(sandbox.counters().get("GetMezzanineInfo", {}).get("requests", 0))


def test_the_oddest_keys_go_first_alone_and_are_looked_up_before_the_rest(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox)
    summary = rig.run()
    assert summary.error is None
    assert set(ODD) <= first_call(rig)
    assert looked_at(sandbox) == 10
    assert rig.calls() == 7
    rig.assert_results_equal_truth()
    began = rig.rows(
        "select started_at, started_at + make_interval(secs => seconds) from vod_migrate.calls order by started_at"
    )
    assert all(later[0] >= began[0][1] for later in began[1:])


def test_all_calls_of_a_run_share_one_session_of_the_sdk(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    fill(sandbox)
    rig.run()
    assert looked_at(sandbox) == 10
    # The SDK makes one for each session, also without TLS; the ten lookups once made one each.
    assert len(made) == 1


def test_settings_that_were_proven_once_need_no_canary_and_new_ones_do(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox)
    rig.run()
    sandbox.reset_counters()
    fill(sandbox, odd=[f"new {number}.mp4" for number in range(30)])
    assert rig.run().counts.registered == 30
    assert looked_at(sandbox) == 0
    fill(sandbox, odd=[f"newer {number}.mp4" for number in range(30)])
    assert rig.run(rig.migration(describe={"title": "{{ name }}"})).counts.registered == 30
    assert looked_at(sandbox) == 10


def test_a_run_of_ten_files_or_fewer_is_its_own_canary(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox, plain=4)
    assert rig.run().counts.registered == 10
    assert (rig.calls(), looked_at(sandbox)) == (1, 0)
    fill(sandbox, plain=40)
    assert rig.run(rig.migration(describe={"title": "x"}), limit=5).counts.registered == 5
    assert looked_at(sandbox) == 0


def test_a_missing_permission_to_look_leaves_the_media_unchecked_and_the_run_goes_on(
    rig: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    fill(sandbox)
    sandbox.account(deny=["vod:GetMezzanineInfo"])
    caplog.set_level("INFO", "vod_migrate.register.canary")
    assert rig.run().error is None
    assert "10 of 10 media were not checked" in caplog.text
    rig.assert_results_equal_truth()


def test_a_media_that_is_not_there_at_once_is_waited_for_and_not_for_long(
    rig: Any, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    fill(sandbox)
    caplog.set_level("INFO", "vod_migrate.register.canary")
    rig.waits(media_patience=60.0)
    sandbox.settings(seen_after_ms=3_600_000)
    sandbox.fault("reset", api="GetMezzanineInfo", count=3)

    def appear() -> None:
        while looked_at(sandbox) < 15:
            time.sleep(0.05)
        assert len(sandbox.truth(BUCKET)) == 10, "nothing else is sent meanwhile"
        sandbox.settings(seen_after_ms=0)

    with ThreadPoolExecutor(1) as other:
        appeared = other.submit(appear)
        assert rig.run().error is None
        appeared.result()
    assert "not checked" not in caplog.text
    rig.waits(media_patience=1.0)
    sandbox.settings(seen_after_ms=3_600_000)
    fill(sandbox, odd=[f"new {number}.mp4" for number in range(30)])
    assert rig.run(rig.migration(describe={"title": "x"})).error is None
    assert "10 of 10 media were not checked" in caplog.text
    rig.assert_results_equal_truth()


def test_when_every_first_file_fails_the_run_stops_says_what_they_share_and_nothing_is_burnt(
    rig: Any, sandbox: Sandbox
) -> None:
    fill(sandbox)
    sandbox.fault("fail_files", api="RegisterMedia")
    summary = rig.run(rig.migration(register={"template_group_id": "VOD_NO_TRANSCODE"}))
    assert isinstance(summary.error, CanaryFailed)
    assert (summary.error.exit_code, summary.state) == (6, "stopped")
    told = str(summary.error)
    for words in (
        "file_refused",
        "the extension .mp4",
        "template group VOD_NO_TRANSCODE",
        "added to VOD",
        "stay pending",
    ):
        assert words in told
    assert rig.calls() == 2
    assert rig.rows("select count(*) from vod_migrate.objects") == [(0,)]
    assert set(rig.rows("select attempts, no_answers from vod_migrate.work")) == {(0, 0)}
    assert (summary.counts.failed, summary.counts.pending) == (0, 66)
    sandbox.clear_faults()
    assert rig.run().error is None
    rig.assert_results_equal_truth()


def test_odd_keys_that_fail_beside_plain_ones_that_do_not_are_failures_of_their_own(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox)
    sandbox.fault("fail_files", api="RegisterMedia", key="a/*")
    summary = rig.run()
    assert summary.error is None
    assert summary.counts.failed == len([key for key in ODD if key.startswith("a/")])
    rig.assert_results_equal_truth()


def test_one_broken_folder_at_the_beginning_does_not_hold_up_the_rest(
    rig: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sandbox, odd=[f"a/{number}.mp4" for number in range(40)])
    sandbox.fault("fail_files", api="RegisterMedia", key="a/*")
    monkeypatch.setattr(canary, "POOL_OBJECTS", 30)
    summary = rig.run()
    assert summary.error is None
    assert (summary.counts.failed, summary.counts.registered) == (40, 60)
    rig.assert_results_equal_truth()


def test_a_media_of_another_file_stops_the_run_at_once_and_is_not_kept(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox, odd=["a b.mp4", "a%20b.mp4"])
    sandbox.settings(url_encoding="raw", missing_file="failed")
    summary = rig.run()
    assert isinstance(summary.error, CanaryFailed)
    assert "'a b.mp4'" in str(summary.error)
    assert "url_encoding" in str(summary.error)
    assert rig.calls() == 1
    assert {(state, media) for state, media, _ in rig.results().values()} == {("pending", None)}
    again = rig.run()
    assert isinstance(again.error, CanaryFailed), "a stopped canary proves nothing"
    mended = rig.run(rig.migration(register={"url_encoding": "raw"}))
    assert mended.error is None
    rig.assert_results_equal_truth()


def test_of_several_workers_one_sends_the_canary_and_the_others_wait(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox, plain=200)
    sandbox.settings(latency_ms=200)
    run = rig.prepare()
    rig.discover(run)
    ended: list[Any] = []

    def work(slot: str) -> None:
        try:
            rig.register(run, slot=slot)
            ended.append(None)
        except VodMigrateError as error:
            ended.append(error)

    threads = [threading.Thread(target=work, args=(f"slot {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [None] * 3
    assert looked_at(sandbox) == 10
    began = [row[0] for row in rig.rows("select started_at from vod_migrate.calls order by started_at")]
    assert (began[1] - began[0]).total_seconds() > 0.4
    rig.assert_results_equal_truth()


def test_a_stop_while_the_canary_is_out_is_quick_and_loses_nothing(rig: Any, sandbox: Sandbox) -> None:
    fill(sandbox)
    sandbox.fault("timeout", api="GetMezzanineInfo", seconds=30)
    run = rig.prepare()
    rig.discover(run)
    stop = threading.Event()
    ended: list[VodMigrateError] = []

    def work() -> None:
        try:
            rig.register(run, stop)
        except VodMigrateError as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    while not looked_at(sandbox):
        time.sleep(0.05)
    began = time.monotonic()
    stop.set()
    worker.join()
    assert time.monotonic() - began < 4
    assert isinstance(ended[0], Interrupted)
    sandbox.clear_faults()
    assert rig.run().error is None
    rig.assert_results_equal_truth()
