"""A MediaId belongs to one object: an answer that gives it to a second one, in a later call, is told and not guessed away."""

from __future__ import annotations

import threading
from typing import Any

from store_helpers import a_call, facts, registered

from vod_migrate.results.run import Run
from vod_migrate.results.work import Place
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


def answered(rig: Any, run: Run, place: Place, key: str, media_id: str) -> int:
    call = a_call()
    return int(rig.store.record(run, place, [call], [registered(key, call, media_id)]))


def claimed(rig: Any, sandbox: Sandbox, count: int) -> tuple[Run, Place, list[str]]:
    for number in range(count):
        sandbox.put(BUCKET, f"f{number:02}.mp4")
    run = rig.prepare()
    rig.discover(run)
    place = rig.store.take_place(run, slot="one", host="h")
    return run, place, [work.key for work in rig.store.claim(run, place).works]


def test_the_second_object_fails_with_the_name_of_the_first(rig: Any, sandbox: Sandbox) -> None:
    run, place, (first, second, third) = claimed(rig, sandbox, 3)
    for key, media_id in ((first, "m1"), (second, "m1"), (third, "m3"), (first, "m1")):
        answered(rig, run, place, key, media_id)
    assert facts(rig.store) == {
        "f00.mp4": ("registered", "m1", None),
        "f01.mp4": ("failed", None, "media_id_clash"),
        "f02.mp4": ("registered", "m3", None),
    }
    assert rig.rows("select message from vod_migrate.objects where code is not null") == [
        ("VOD returned the MediaId m1, which already belongs to f00.mp4",)
    ]
    counts = rig.store.counts(run.run_id)
    assert (counts.registered, counts.failed) == (2, 1)


def test_of_two_objects_of_one_commit_with_one_media_id_one_is_told(rig: Any, sandbox: Sandbox) -> None:
    run, place, (first, second) = claimed(rig, sandbox, 2)
    call = a_call(files=2)
    rig.store.record(run, place, [call], [registered(first, call, "m"), registered(second, call, "m")])
    assert sorted(state for state, _, _ in facts(rig.store).values()) == ["failed", "registered"]


def test_of_two_calls_that_bring_one_media_id_at_the_same_moment_one_is_told(rig: Any, sandbox: Sandbox) -> None:
    run, place, keys = claimed(rig, sandbox, 16)
    together = threading.Barrier(len(keys))

    def go(key: str, media_id: str) -> None:
        together.wait()
        answered(rig, run, place, key, media_id)

    threads = [threading.Thread(target=go, args=(key, f"m{number // 2}")) for number, key in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    known = facts(rig.store).values()
    assert sorted(media_id for state, media_id, _ in known if state == "registered" and media_id) == [
        f"m{number}" for number in range(8)
    ]
    assert sum(code == "media_id_clash" for _, _, code in known) == 8
