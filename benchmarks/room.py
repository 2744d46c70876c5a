"""What an object costs in the results database, and what the queries of an idle worker cost beside another migration's backlog.

One migration of a clean bucket, `vod-migrate run` and one `vod-migrate work` beside it, the sandbox without a quota; then `db prune`
and VACUUM. The room is counted with all indexes, the audit (runs, calls, events) apart from the objects. Then 1,000,000 pending
rows of another migration are written beside it, and each query of a worker without work is timed.

    python benchmarks/room.py [--objects 200000] [--pending 1000000]

Target: at most 600 bytes a registered object with keys of 60 bytes; no query of an idle worker over 5 ms.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import psycopg
from figures import Figures
from stage import Stage, stage, wait_for_runs

BUCKET = "media-archive"
KEY_BYTES = 60
MOST_BYTES = 600
MOST_SECONDS = 0.005
LOOKS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=200_000)
    parser.add_argument("--pending", type=int, default=1_000_000)
    options = parser.parse_args()
    with stage() as play:
        url = play.database()
        bytes_each = room(play, url, objects=options.objects)
        slowest = idle(play, url, pending=options.pending)
    if bytes_each > MOST_BYTES or slowest > MOST_SECONDS:
        raise SystemExit("a target was missed")


def room(play: Stage, url: str, *, objects: int) -> float:
    """Bytes for each registered object, after a whole migration."""
    prefix = "documentaries/archive/season-2024/interviews/"
    play.sandbox(
        {
            "buckets": [{"name": BUCKET, "generate": {"count": objects, "dirt": 0, "prefix": prefix}}],
            "settings": {"quotas": {"RegisterMedia": None}},
        }
    )
    play.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = "1000"
    file = play.migration("room", source={"bucket": BUCKET}, register={"template_group_id": "VOD_NO_TRANSCODE"})
    first = play.start("run", str(file))
    (run_id,) = wait_for_runs(url, 1)
    second = play.start("work", run_id, "--slot", "two")
    peak = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while first.poll() is None:
            peak = max(peak, sizes(connection)["work"])
            time.sleep(1)
        if (first.returncode, second.wait(60)) != (0, 0):
            raise SystemExit(f"the run ended with {first.returncode}, its second worker with {second.returncode}")
        subprocess.run(
            [sys.executable, "-m", "vod_migrate.cli", "db", "prune"],
            env=play.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        connection.execute("vacuum")
        after = sizes(connection)
        ((count, key_bytes),) = connection.execute(
            "select count(*), avg(octet_length(key))::float8 from vod_migrate.objects where registered"
        ).fetchall()
    work = after.pop("work") + after.pop("blocks")
    facts = after.pop("objects")
    audit = sum(after.values())
    each = (facts + audit) / count
    figures = Figures(
        "room", "registered", "bytes a key", "bytes an object", "without audit", "queue at its peak", "after db prune"
    )
    figures.row(
        count,
        f"{key_bytes:.0f}",
        f"{each:.0f}",
        f"{facts / count:.0f}",
        *(f"{size / 1e6:.1f} MB" for size in (peak, work)),
    )
    if key_bytes < KEY_BYTES:
        raise SystemExit(f"the keys are shorter than the {KEY_BYTES} bytes that the target is about")
    return float(each)


def sizes(connection: psycopg.Connection) -> dict[str, int]:
    """Bytes of every table with its indexes."""
    rows = connection.execute(
        "select relname, pg_total_relation_size(oid) from pg_class "
        "where relnamespace = 'vod_migrate'::regnamespace and relkind = 'r'"
    )
    return dict(rows.fetchall())


def idle(play: Stage, url: str, *, pending: int) -> float:
    """The slowest query of a worker without work, in seconds, beside another migration's backlog: the median of some looks."""
    os.environ.update(play.environment)
    from vod_migrate.migration.loader import parse_migration  # noqa: PLC0415 - after the environment is clean
    from vod_migrate.migration.options import Mode, RunOptions  # noqa: PLC0415
    from vod_migrate.results.run import Gate, Run  # noqa: PLC0415
    from vod_migrate.results.store import Store  # noqa: PLC0415

    def begin(store: Store, name: str) -> Run:
        spec = parse_migration(
            {"name": name, "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
            origin="benchmark",
        )
        asked = Run(
            run_id=name,
            account="default",
            region="cn-shanghai",
            migration=name,
            bucket=BUCKET,
            mode=Mode.NEW,
            options=RunOptions(),
            spec=spec,
            spec_digest="d",
            gate=Gate.OPEN,
        )
        return store.prepare_run(asked, prefixes=[""], whole=True, leftovers=True)

    with Store.open(url) as store, psycopg.connect(url, autocommit=True) as connection:
        other = begin(store, "other")
        connection.execute(
            "insert into vod_migrate.blocks (queue_no, objects) select %s, 500 from generate_series(1, %s)",
            (other.queue_no, pending // 500),
        )
        connection.execute(
            "insert into vod_migrate.work (source_id, queue_no, block_id, key) "
            "select %s, %s, (select min(block_id) from vod_migrate.blocks where queue_no = %s) + n / 500, 'other/' || n "
            "from generate_series(0, %s) n",
            (other.source_id, other.queue_no, other.queue_no, pending - 1),
        )
        connection.execute("analyze")
        mine = begin(store, "mine")
        place = store.take_place(mine, slot="one", host="benchmark")
        queries = {
            "claim": lambda: store.claim(mine, place),
            "work_left": lambda: store.work_left(mine),
            "renew": lambda: store.renew(place),
            "signal": lambda: store.signal(mine.run_id),
            "open_scans": lambda: store.open_scans(mine),
        }
        medians = {}
        for name, query in queries.items():
            seconds = []
            for _ in range(LOOKS):
                began = time.perf_counter()
                query()
                seconds.append(time.perf_counter() - began)
            medians[name] = sorted(seconds)[LOOKS // 2]
    figures = Figures("room_idle", "question of an idle worker", "pending beside it", "median")
    for name, median in medians.items():
        figures.row(name, pending, f"{1000 * median:.1f} ms")
    return max(medians.values())


if __name__ == "__main__":
    main()
