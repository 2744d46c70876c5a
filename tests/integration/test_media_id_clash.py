"""A MediaId belongs to one object: an answer that gives it to a second one, in a later call, is told and not guessed away."""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import Any

from vod_migrate.results.work import CallRecord, Settlement
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


def answered(rig: Any, run_id: str, token: uuid.UUID, result_id: int, media_id: str) -> int:
    call = CallRecord(
        call_id=uuid.uuid4(), worker="w", started_at=dt.datetime.now(dt.UTC), seconds=0.1, answer="ok", files=1,
        request_id="R",
    )  # fmt: skip
    settlement = Settlement(result_id=result_id, outcome="registered", state="registered", media_id=media_id)
    return int(rig.store.record_call(run_id, token, call, [settlement]))


def claimed(rig: Any, sandbox: Sandbox, count: int) -> tuple[str, uuid.UUID, list[int]]:
    for number in range(count):
        sandbox.put(BUCKET, f"f{number}.mp4")
    run = rig.prepare()
    rig.discover(run)
    token = rig.store.take_place(run.run_id, slot="one", worker="w")
    return run.run_id, token, [work.result_id for work in rig.store.claim(run.run_id, token, most=count)]


def test_the_second_object_fails_with_the_name_of_the_first(rig: Any, sandbox: Sandbox) -> None:
    run_id, token, (first, second, third) = claimed(rig, sandbox, 3)
    for result_id, media_id in ((first, "m1"), (second, "m1"), (third, "m3"), (first, "m1")):
        answered(rig, run_id, token, result_id, media_id)
    assert rig.results() == {
        "f0.mp4": ("registered", "m1", None),
        "f1.mp4": ("failed", None, "media_id_clash"),
        "f2.mp4": ("registered", "m3", None),
    }
    assert rig.rows("select message, request_id from results where code is not null") == [
        ("VOD answered with the MediaId m1, which it gave to f0.mp4 before", "R")
    ]
    counts = rig.store.counts(run_id)
    assert (counts.registered, counts.failed) == (2, 1)


def test_of_two_calls_that_bring_one_media_id_at_the_same_moment_one_is_told(rig: Any, sandbox: Sandbox) -> None:
    run_id, token, results = claimed(rig, sandbox, 16)
    together = threading.Barrier(len(results))

    def go(result_id: int, media_id: str) -> None:
        together.wait()
        answered(rig, run_id, token, result_id, media_id)

    threads = [
        threading.Thread(target=go, args=(result_id, f"m{number // 2}")) for number, result_id in enumerate(results)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row[0] for row in rig.rows("select media_id from results where state = 'registered'")) == [
        f"m{number}" for number in range(8)
    ]
    assert rig.rows("select count(*) from results where code = 'media_id_clash'") == [(8,)]
