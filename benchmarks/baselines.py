"""What others would do with the same account, each as a process: used by quota.py and engine.py.

    python benchmarks/baselines.py pyrate|backoff|sample BATCHES.json SECONDS

pyrate: 8 threads, each waits for a permit of pyrate-limiter's Postgres bucket, 47 in a second, and calls again when throttled.
backoff: 8 threads that call as fast as they may, and wait with full jitter when throttled, as the SDKs' own retries do.
sample: the loop of the vendor's sample, one call after the other.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

RATE = 47
THREADS = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0


def main() -> None:
    kind, file, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    batches = cycle(json.loads(file.read_text()))
    end = time.monotonic() + seconds
    threads = 1 if kind == "sample" else THREADS
    send, permit = caller(), permits() if kind == "pyrate" else (lambda: None)
    working = [threading.Thread(target=work, args=(send, permit, batches, end), daemon=True) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()


def work(send: Callable[[Any], bool], permit: Callable[[], None], batches: Iterator[Any], end: float) -> None:
    while time.monotonic() < end:
        batch, tries = next(batches), 0
        permit()
        while not send(batch) and time.monotonic() < end:
            tries += 1
            time.sleep(random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**tries)))  # noqa: S311 - no secret
            permit()


def caller() -> Callable[[Any], bool]:
    """Calls the SDK; False where it is throttled."""
    from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow
    from Tea.exceptions import TeaException  # noqa: PLC0415 - slow

    from vod_migrate.cloud.clients import open_vod  # noqa: PLC0415 - slow
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow

    client = open_vod(connection_from_environment()).sdk

    def send(batch: Any) -> bool:
        text = json.dumps(batch, ensure_ascii=False, separators=(",", ":"))
        request = models.RegisterMediaRequest(register_metadatas=text, template_group_id="VOD_NO_TRANSCODE")
        try:
            client.register_media_with_options(request, RuntimeOptions(max_idle_conns=THREADS))
        except TeaException as error:
            if not str(error.code).startswith("Throttling"):
                raise
            return False
        return True

    return send


def permits() -> Callable[[], None]:
    """Waits for a permit of the bucket that all processes share."""
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - only here
    from pyrate_limiter import Limiter, PostgresBucket, Rate  # noqa: PLC0415 - only here

    pool = ConnectionPool(os.environ["VOD_MIGRATE_DATABASE_URL"], max_size=THREADS, open=True)
    limiter = Limiter(PostgresBucket(pool, "register_media", [Rate(RATE, 1000)]))
    return lambda: limiter.try_acquire("call", blocking=True)


if __name__ == "__main__":
    main()
