"""What a worker has in its queue, or in a call, may be another worker's by the time its turn comes."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import Any

from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.run import Run
from vod_migrate.results.work import CallRecord, Place, Settlement
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


def test_a_worker_whose_lease_lapsed_sends_nothing_before_it_is_renewed_and_then_only_what_it_still_holds(
    rig: Any, sandbox: Sandbox
) -> None:
    for number in range(60):
        sandbox.put(BUCKET, f"f{number:02}.mp4")
    rig.store.lease = 2.0
    run = rig.prepare(rig.migration(register={"threads": 4}), calls_per_second=2)
    rig.discover(run)
    renew, away = rig.store.renew, threading.Event()

    def renewed(place: Place) -> bool:
        while away.is_set():
            time.sleep(0.05)
        return bool(renew(place))

    rig.store.renew = renewed
    worker = threading.Thread(target=rig.register, args=(run,), daemon=True)
    worker.start()
    while len(sandbox.truth(BUCKET)) < 10:
        time.sleep(0.02)
    away.set()
    time.sleep(2.5)
    sent = len(sandbox.truth(BUCKET))
    assert sent < 60, "it stopped before its lease ended"
    other = rig.store.take_place(run, slot="two", host="h")
    held = rig.store.claim(run, other)
    assert len(held.works) == 60 - sent
    away.clear()
    time.sleep(1.0)
    assert len(sandbox.truth(BUCKET)) == sent, "the other worker holds what it had in hand"
    rig.store.leave(run, other)
    worker.join(30)
    truth = sandbox.truth(BUCKET)
    assert (worker.is_alive(), len(truth)) == (False, 60)
    assert {item.registrations for item in truth.values()} == {1}


def test_a_worker_that_lost_its_place_halts_and_leaves_what_it_held_to_its_successor(
    rig: Any, sandbox: Sandbox
) -> None:
    for number in range(60):
        sandbox.put(BUCKET, f"f{number:02}.mp4")
    rig.store.lease = 1.5
    run = rig.prepare(calls_per_second=2)
    rig.discover(run)
    first = threading.Thread(target=lambda: rig.register(run), daemon=True)
    first.start()
    while len(sandbox.truth(BUCKET)) < 10:
        time.sleep(0.02)
    rig.register(run)
    assert len(sandbox.truth(BUCKET)) == 60
    first.join(5)
    assert not first.is_alive()


def test_a_late_answer_about_a_file_that_is_gone_meanwhile_makes_it_registered(rig: Any, sandbox: Sandbox) -> None:
    run, lost, _ = a_lost_place(rig, sandbox)
    record(rig, run, lost, "registered")
    sandbox.delete(BUCKET, "a.mp4")
    rig.discover(rig.prepare())
    assert rig.rows("select registered, gone from vod_migrate.objects") == [(True, True)]
    record(rig, run, lost, "already_registered")
    assert rig.rows("select registered, gone, media_id from vod_migrate.objects") == [(True, False, "m")]


def test_a_late_answer_about_a_file_that_its_successor_registered_is_counted_once(rig: Any, sandbox: Sandbox) -> None:
    run, lost, successor = a_lost_place(rig, sandbox)
    assert rig.store.claim(run, successor).works
    record(rig, run, successor, "registered")
    record(rig, run, lost, "already_registered")
    assert rig.results() == {"a.mp4": ("registered", "m", None)}
    counts = rig.store.counts(run.run_id)
    assert (counts.registered, counts.already_registered) == (1, 0)


def a_lost_place(rig: Any, sandbox: Sandbox) -> tuple[Run, Place, Place]:
    """A run of one file, claimed by a worker whose place then went to its successor: run, and both places."""
    sandbox.put(BUCKET, "a.mp4")
    run = rig.prepare()
    rig.discover(run)
    lost = rig.store.take_place(run, slot="one", host="h")
    assert rig.store.claim(run, lost).works
    return run, lost, rig.store.take_place(run, slot="one", host="its successor")


def record(rig: Any, run: Run, place: Place, outcome: str) -> None:
    call_id = new_call_id()
    call = CallRecord(call_id=call_id, started_at=dt.datetime.now(dt.UTC), seconds=0.1, answer="ok", files=1)
    rig.store.record(run, place, [call], [Settlement(key="a.mp4", outcome=outcome, media_id="m", call_id=call_id)])
