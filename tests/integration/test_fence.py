"""What a worker has in its queue may be somebody else's by the time its turn comes."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from vod_migrate.sandbox.testing import Sandbox

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
