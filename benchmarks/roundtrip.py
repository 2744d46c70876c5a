"""How many calls a second one worker makes, by the round trip to its database; and what a call costs it.

One worker of the default 32 threads, the account's default of 47 calls a second, a service that answers after 30 ms, and a proxy
in front of the database that holds every packet back. CPU is that of the worker's process, without what it takes to start and to
list; commits are what the database counts. Beside it, at the same time: a process that makes the same calls at the same rate with the
vendor's SDK alone, against a sandbox of its own.

    python benchmarks/roundtrip.py [--objects 4000] [--round-trips 0 20 50 100]

Target: at least 45 calls a second at 50 ms; at most 2 commits and 4 statements a call; at most twice the SDK's CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import psycopg

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from delay_proxy import DelayProxy
from figures import Figures
from stage import Stage, stage

from vod_migrate.describe.file_url import file_url

FILES = 10
RATE = 47


def main() -> None:
    if sys.argv[1:2] == ["--sdk"]:
        print(json.dumps({"cpu": sdk_alone(json.loads(Path(sys.argv[2]).read_text()))}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=4_000)
    parser.add_argument("--round-trips", type=float, nargs="+", default=[0, 20, 50, 100], metavar="MS")
    options = parser.parse_args()
    figures = Figures(
        "roundtrip", "round trip", "calls/s", "most in 1 s", "commits a call", "CPU a call", "of the SDK", "SDK alone"
    )
    for round_trip in options.round_trips:
        with stage() as play, stage() as beside:
            figures.row(f"{round_trip:g} ms", *measure(play, beside, round_trip, objects=options.objects))


def measure(play: Stage, beside: Stage, round_trip: float, *, objects: int) -> tuple[object, ...]:
    buckets = [
        {"name": "archive", "generate": {"count": objects, "dirt": 0}},
        {"name": "small", "generate": {"count": 5 * FILES, "dirt": 0}},
    ]
    play.sandbox({"settings": {"latency_ms": 30}, "buckets": buckets})
    beside.sandbox({"settings": {"latency_ms": 30}, "buckets": buckets})
    beside.control("PATCH", "settings", {"quotas": {"RegisterMedia": None}})
    url = play.database()
    with DelayProxy(url, round_trip=round_trip / 1000) as proxy:
        play.environment["VOD_MIGRATE_DATABASE_URL"] = proxy.url if round_trip else url
        start = cpu_of_worker(play, discovered(play, "small"))
        run_id = discovered(play, "archive")
        alone = start_sdk(beside, url)
        before = commits(url)
        cpu = cpu_of_worker(play, run_id)
        counted = play.control("GET", "counters")["RegisterMedia"]
        seconds = {int(second): count for second, count in counted["accepted_per_second"].items()}
        busy = sorted(seconds)[-(objects // FILES // RATE) :]
        full = [seconds[second] for second in busy[1:-1]]
        calls = objects // FILES
        each = (cpu - start) / (calls - 5)
        made = (commits(url) - before) / calls
    of_sdk = float(json.loads(alone.communicate()[0])["cpu"])
    return (
        f"{sum(full) / len(full):.2f}",
        counted["most_accepted_in_a_second"],
        f"{made:.2f}",
        f"{each * 1000:.2f} ms",
        f"{each / of_sdk:.2f} x",
        f"{of_sdk * 1000:.2f} ms",
    )


def discovered(play: Stage, bucket: str) -> str:
    """Lists a bucket in this process. Returns the id of its run."""
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - after the stage is set
    from vod_migrate.migration.loader import load_migration  # noqa: PLC0415 - after the stage is set
    from vod_migrate.migration.options import RunOptions  # noqa: PLC0415 - after the stage is set
    from vod_migrate.results.store import Store  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run.lifecycle import discover  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run.request import Origin  # noqa: PLC0415 - after the stage is set

    os.environ.update(play.environment)
    file = play.migration(bucket, source={"bucket": bucket}, register={"template_group_id": "VOD_NO_TRANSCODE"})
    connection = connection_from_environment()
    with Store.open(play.environment["VOD_MIGRATE_DATABASE_URL"], connections=2) as store:
        migration = load_migration(file)
        run = prepare(
            store=store, connection=connection, migration=migration, options=RunOptions(), origin=Origin(kind="cli")
        )
        discover(store=store, connection=connection, run_id=run.run_id, stop=threading.Event())
    return run.run_id


def cpu_of_worker(play: Stage, run_id: str) -> float:
    """Sends what was discovered with a worker in a process of its own. Returns the seconds of CPU that it took."""
    worker = play.start("work", run_id, "--slot", "measured", stderr=None)
    _, status, usage = os.wait4(worker.pid, 0)
    if status:
        raise SystemExit(f"the worker ended with status {status}")
    return usage.ru_utime + usage.ru_stime


def commits(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        time.sleep(1.5)  # the counters come late
        row = connection.execute(
            "select sum(xact_commit + xact_rollback) from pg_stat_database where datname = current_database()"
        ).fetchone()
    return int(row[0]) if row else 0


def start_sdk(beside: Stage, url: str) -> subprocess.Popen[str]:
    """Starts a process that calls the vendor's SDK alone with the files that wait for the worker; it prints the CPU of one call."""
    file = beside.folder / "files.json"
    file.write_text(json.dumps(batches_of(url)))
    return subprocess.Popen(
        [sys.executable, __file__, "--sdk", str(file)], env=beside.environment, stdout=subprocess.PIPE, text=True
    )


def batches_of(url: str) -> list[list[dict[str, str]]]:
    """The files that wait for the worker, as the API takes them, ten by ten."""
    with psycopg.connect(url) as connection:
        keys = [key for (key,) in connection.execute("select key from vod_migrate.work order by key")]
    address = "archive.oss-cn-shanghai.aliyuncs.com"
    files = [{"FileURL": file_url(address, key), "Title": Path(key).stem} for key in keys]
    return [files[place : place + FILES] for place in range(0, len(files), FILES)]


def sdk_alone(batches: list[list[dict[str, str]]]) -> float:
    """Seconds of CPU for a call, at the worker's rate and from as many threads."""
    from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow

    from vod_migrate.cloud.clients import open_vod  # noqa: PLC0415 - slow
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow

    client = open_vod(connection_from_environment()).sdk
    waiting = SimpleQueue[tuple[int, list[dict[str, str]]]]()
    for numbered in enumerate(batches):
        waiting.put(numbered)

    def call() -> None:
        with suppress(Empty):
            while True:
                place, batch = waiting.get_nowait()
                time.sleep(max(0.0, began + place / RATE - time.monotonic()))
                text = json.dumps(batch, ensure_ascii=False, separators=(",", ":"))
                request = models.RegisterMediaRequest(register_metadatas=text, template_group_id="VOD_NO_TRANSCODE")
                client.register_media_with_options(request, RuntimeOptions(max_idle_conns=32))

    cpu, began = time.process_time(), time.monotonic()
    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - cpu) / len(batches)


if __name__ == "__main__":
    main()
