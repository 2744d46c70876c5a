"""How many calls a second one worker makes, against the round trip to its database; and what a call costs it.

One worker of the default 32 threads, the account's default of 47 calls a second, a service that answers after 30 ms, and a proxy
in front of the database that holds every packet back. CPU is that of the worker's process, without what it takes to start and to
list; statements and commits are what the database counts. Beside it: the CPU of the SDK's call alone, with the same files.

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
from pathlib import Path

import psycopg

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from delay_proxy import DelayProxy
from stage import Stage, stage

from vod_migrate.results.database import upgrade_schema

SDK_CALLS = 600
FILES = 10


def main() -> None:
    if sys.argv[1:] == ["--sdk"]:
        print(json.dumps({"cpu": sdk_alone()}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=4_000)
    parser.add_argument("--round-trips", type=float, nargs="+", default=[0, 20, 50, 100], metavar="MS")
    options = parser.parse_args()
    with stage() as play:
        alone = sdk(play)
        print(f"the SDK alone: {alone * 1000:.2f} ms of CPU a call", flush=True)
    print(f"{'round trip':>10} {'calls/s':>8} {'most in 1 s':>11} {'CPU a call':>11} {'of the SDK':>10} {'commits':>8}")
    for round_trip in options.round_trips:
        with stage() as play:
            measure(play, round_trip, objects=options.objects, alone=alone)


def measure(play: Stage, round_trip: float, *, objects: int, alone: float) -> None:
    play.sandbox(
        {
            "settings": {"latency_ms": 30},
            "buckets": [
                {"name": "archive", "generate": {"count": objects, "dirt": 0}},
                {"name": "small", "generate": {"count": 5 * FILES, "dirt": 0}},
            ],
        }
    )
    url = play.database()
    upgrade_schema(url)
    with DelayProxy(url, round_trip=round_trip / 1000) as proxy:
        play.environment["VOD_MIGRATE_DATABASE_URL"] = proxy.url if round_trip else url
        start = cpu_of_worker(play, "small")
        before = commits(url)
        cpu = cpu_of_worker(play, "archive")
        told = play.control("GET", "counters")["RegisterMedia"]
        seconds = {int(second): count for second, count in told["accepted_per_second"].items()}
        busy = sorted(seconds)[-(objects // FILES // 47) :]
        full = [seconds[second] for second in busy[1:-1]]
        calls = objects // FILES
        each = (cpu - start) / (calls - 5)
        print(
            f"{round_trip:7.0f} ms {sum(full) / len(full):8.2f} {told['most_accepted_in_a_second']:11} {each * 1000:8.2f} ms "
            f"{each / alone:9.2f}x {(commits(url) - before) / calls:8.2f}",
            flush=True,
        )


def cpu_of_worker(play: Stage, bucket: str) -> float:
    """Lists a bucket here, and sends it with a worker in a process of its own. Returns the worker's seconds of CPU."""
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
    worker = play.start("work", run.run_id, "--slot", "measured", stderr=None)
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


def sdk(play: Stage) -> float:
    """Seconds of CPU that one call of the vendor's SDK costs, in a process of its own."""
    play.sandbox({"settings": {"latency_ms": 30, "quotas": {"RegisterMedia": None}}, "buckets": [{"name": "archive"}]})
    told = subprocess.run([sys.executable, __file__, "--sdk"], env=play.environment, check=True, capture_output=True)
    return float(json.loads(told.stdout)["cpu"])


def sdk_alone() -> float:
    from alibabacloud_vod20170321 import models  # noqa: PLC0415 - slow
    from darabonba.runtime import RuntimeOptions  # noqa: PLC0415 - slow

    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow
    from vod_migrate.cloud.vod import vod_client  # noqa: PLC0415 - slow

    client = vod_client(connection_from_environment())
    host = "archive.oss-cn-shanghai.aliyuncs.com"
    rows = [
        {"FileURL": f"https://{host}/interviews/2024/part-{number:04}.mp4", "Title": f"part-{number:04}"}
        for number in range(FILES)
    ]
    request = models.RegisterMediaRequest(
        register_metadatas=json.dumps(rows, separators=(",", ":")), template_group_id="VOD_NO_TRANSCODE"
    )

    def call(count: int) -> None:
        for _ in range(count):
            client.register_media_with_options(request, RuntimeOptions(max_idle_conns=32))

    call(20)
    began = time.process_time()
    threads = [threading.Thread(target=call, args=(SDK_CALLS // 32 + 1,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - began) / (32 * (SDK_CALLS // 32 + 1))


if __name__ == "__main__":
    main()
