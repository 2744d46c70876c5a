"""What it costs to discover an object as a bucket grows from 10,000 to 10,000,000 objects: time, and the lister's memory.

A server of its own process sends prepared pages (`page_server.py`); the lister is a process of its own, into an empty results database.

    python benchmarks/growth.py [--keys 10000000]

Target: memory of at most 250 MiB and flat; the time of an object in the last tenth within 10 % of that in the first 100,000.
Workers' memory over a million registered objects: soak.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from itertools import pairwise

import psycopg
from figures import Figures
from listing import BUCKET, FIELDS, served
from soak import resident
from stage import stage


def main() -> None:
    if sys.argv[1:2] == ["--list"]:
        list_bucket(sys.argv[2], sys.argv[3])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    options = parser.parse_args()
    marks = [mark for mark in (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000) if mark < options.keys]
    marks += [options.keys * 9 // 10, options.keys]
    figures = Figures("growth", "objects", "time", "an object since then", "memory")
    with stage() as play, served(options.keys) as server:
        url = play.database()
        lister = subprocess.Popen([sys.executable, __file__, "--list", server.endpoint, url], env=play.environment)
        for mark, (seconds, each, memory) in zip(marks, measured(url, lister, marks), strict=True):
            figures.row(mark, f"{seconds:.1f} s", f"{1e6 * each:.1f} µs", f"{memory:.0f} MiB")
        if lister.wait(600):
            raise SystemExit("the lister failed")


def measured(url: str, lister: subprocess.Popen[bytes], marks: list[int]) -> list[tuple[float, float, float]]:
    """For each mark: seconds since the first object, seconds an object since the mark before, and MiB."""
    points: list[tuple[int, float, float]] = []
    waiting = list(marks)
    with psycopg.connect(url, autocommit=True) as connection:
        while waiting:
            time.sleep(0.1)
            (listed,) = connection.execute(
                "select coalesce(sum(listed), 0)::bigint from vod_migrate.scans"
            ).fetchone() or (0,)
            if listed and not points:
                points.append((listed, time.monotonic(), 0.0))
            while waiting and listed >= waiting[0]:
                points.append((listed, time.monotonic(), resident(lister.pid) or 0.0))
                waiting.pop(0)
            if lister.poll() not in (None, 0):
                raise SystemExit("the lister failed")
    first = points[0][1]
    return [
        (after[1] - first, (after[1] - before[1]) / max(1, after[0] - before[0]), after[2])
        for before, after in pairwise(points)
    ]


def list_bucket(endpoint: str, url: str) -> None:
    """Discovers the bucket behind an endpoint."""
    os.environ["VOD_MIGRATE_DATABASE_URL"] = url
    from vod_migrate.cloud.connection import connection_from_fields  # noqa: PLC0415 - slow
    from vod_migrate.migration.loader import parse_migration  # noqa: PLC0415 - slow
    from vod_migrate.migration.options import RunOptions  # noqa: PLC0415 - slow
    from vod_migrate.results.store import Store  # noqa: PLC0415 - slow
    from vod_migrate.run import lifecycle  # noqa: PLC0415 - slow
    from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - slow
    from vod_migrate.run.request import Origin  # noqa: PLC0415 - slow

    connection = connection_from_fields({**FIELDS, "oss_endpoint": endpoint}, origin="benchmark")
    content = {"name": "growth", "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}
    with Store.open(url) as store:
        run = prepare(
            store=store,
            connection=connection,
            migration=parse_migration(content, origin="benchmark"),
            options=RunOptions(),
            origin=Origin(),
        )
        lifecycle.discover(store=store, connection=connection, run_id=run.run_id, stop=threading.Event())


if __name__ == "__main__":
    main()
