"""What a worker has in its queue, or in a call, may be somebody else's by the time its turn comes."""

from __future__ import annotations

import datetime as dt
import threading
import time
import uuid
from typing import Any

from vod_migrate.results.run import Run
from vod_migrate.results.work import CallRecord, Settlement, Work
from vod_migrate.sandbox.pytest_plugin import Sandbox

BUCKET = "media-archive"


def test_files_that_went_to_another_worker_while_they_waited_are_not_sent(rig: Any, sandbox: Sandbox) -> None:
    for number in range(60):
        sandbox.put(BUCKET, f"f{number:02}.mp4")
    run = rig.prepare(rig.migration(register={"threads": 4}), calls_per_second=5)
    rig.discover(run)
    worker = threading.Thread(target=rig.register, args=(run,), daemon=True)
    worker.start()
    while len(sandbox.truth(BUCKET)) < 10:
        time.sleep(0.02)
    other = uuid.uuid4()
    with rig.store.connection() as connection:
        connection.execute(
            "insert into claims (token, run_id, slot, worker, expires_at) values (%s, %s, 'two', 'w', now() + interval '1 h')",
            (other, run.run_id),
        )
        connection.execute("update results set claim_token = %s where state = 'pending' and key >= 'f25'", (other,))
    time.sleep(1.5)
    # One call may have been past its last look when the others were taken.
    assert len([key for key in sandbox.truth(BUCKET) if key >= "f25"]) <= 10
    rig.store.leave(other)
    worker.join(30)
    truth = sandbox.truth(BUCKET)
    assert (worker.is_alive(), len(truth)) == (False, 60)
    assert {item.registrations for item in truth.values()} == {1}


def test_a_late_answer_about_a_file_that_is_gone_meanwhile_makes_it_plainly_registered(
    rig: Any, sandbox: Sandbox
) -> None:
    run, work, lost, _ = a_lost_place(rig, sandbox)
    sandbox.delete(BUCKET, "a.mp4")
    rig.discover(rig.prepare())
    assert rig.rows("select state, state_before_gone from results") == [("gone", "pending")]
    record(rig, run.run_id, lost, work.result_id)
    assert rig.rows("select state, state_before_gone, media_id from results") == [("registered", None, "m")]


def test_a_late_answer_about_a_file_that_the_run_registered_before_and_another_queued_again_is_counted_once(
    rig: Any, sandbox: Sandbox
) -> None:
    run, work, lost, successor = a_lost_place(rig, sandbox)
    assert rig.store.claim(run.run_id, successor, most=1)
    record(rig, run.run_id, successor, work.result_id)
    rig.discover(rig.prepare(mode="all"))
    assert rig.rows("select state from results") == [("pending",)]

    record(rig, run.run_id, lost, work.result_id, outcome="already_registered")

    assert rig.rows("select state, media_id from results") == [("registered", "m")]
    assert rig.rows("select outcome, count(*) from outcomes group by 1 order by 1") == [
        ("registered", 1),
        ("superseded", 1),
    ]
    counts = rig.store.counts(run.run_id)
    assert (counts.registered, counts.already_registered) == (1, 0)


def a_lost_place(rig: Any, sandbox: Sandbox) -> tuple[Run, Work, uuid.UUID, uuid.UUID]:
    """A run of one file, claimed by a worker whose place then went to its successor: run, claim, and both tokens."""
    sandbox.put(BUCKET, "a.mp4")
    run = rig.prepare()
    rig.discover(run)
    lost = rig.store.take_place(run.run_id, slot="one", worker="w")
    (work,) = rig.store.claim(run.run_id, lost, most=1)
    return run, work, lost, rig.store.take_place(run.run_id, slot="one", worker="its successor")


def record(rig: Any, run_id: str, token: uuid.UUID, result_id: int, outcome: str = "registered") -> None:
    call = CallRecord(
        call_id=uuid.uuid4(), worker="w", started_at=dt.datetime.now(dt.UTC), seconds=0.1, answer="ok", files=1
    )
    told = Settlement(result_id=result_id, outcome=outcome, state="registered", media_id="m")
    rig.store.record_call(run_id, token, call, [told])
