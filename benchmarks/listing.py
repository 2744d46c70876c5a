"""What a listed page costs: our column-wise reading beside oss2's own, and the whole way into the results store.

One sandbox with a dirty bucket; the same pages are read by both, in turns, in one process.

    python benchmarks/listing.py [--objects 100000]

Prints CPU milliseconds per page of 1,000 keys (this process only, so the sandbox's and Postgres's work is not in it), and
objects per second of wall time from an empty and into an unchanged results store, with this process's peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import threading
import time

from stage import Stage, stage

BUCKET = "media-archive"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    options = parser.parse_args()
    with stage() as play:
        play.sandbox({"buckets": [{"name": BUCKET, "generate": {"count": options.objects}}]})
        os.environ.update(play.environment)
        read_pages(pages=min(50, options.objects // 1000))
        discover_twice(play)


def read_pages(*, pages: int) -> None:
    from vod_migrate.cloud.clients import open_bucket  # noqa: PLC0415 - after the stage is set
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - after the stage is set
    from vod_migrate.discover.listing import list_pages  # noqa: PLC0415 - after the stage is set

    connection = connection_from_environment()
    ours = open_bucket(connection, BUCKET)
    theirs = ours.sdk_bucket()
    our_pages = list_pages(ours, "")
    spent = {"ours": 0.0, "oss2": 0.0}
    token = ""
    for _ in range(pages):
        began = time.process_time()
        page = next(our_pages)
        spent["ours"] += time.process_time() - began
        began = time.process_time()
        result = theirs.list_objects_v2(continuation_token=token, max_keys=1000)
        spent["oss2"] += time.process_time() - began
        token = result.next_continuation_token
        if [found.key for found in page.objects] != [found.key for found in result.object_list]:
            raise SystemExit("the two readings differ")
    for name, seconds in spent.items():
        print(f"reading a page of 1,000 keys, {name:5} {1000 * seconds / pages:6.1f} ms CPU")
    print(f"ratio {spent['oss2'] / spent['ours']:.1f}", flush=True)


def discover_twice(play: Stage) -> None:
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - after the stage is set
    from vod_migrate.migration.loader import load_migration  # noqa: PLC0415 - after the stage is set
    from vod_migrate.migration.options import RunOptions  # noqa: PLC0415 - after the stage is set
    from vod_migrate.results.store import Store  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run import lifecycle  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - after the stage is set
    from vod_migrate.run.request import Origin  # noqa: PLC0415 - after the stage is set

    file = play.migration("listing", source={"bucket": BUCKET}, register={"template_group_id": "VOD_NO_TRANSCODE"})
    connection, migration = connection_from_environment(), load_migration(file)
    with Store.open(play.database()) as store:
        for what in ("an empty store", "an unchanged store"):
            run = prepare(
                store=store,
                connection=connection,
                migration=migration,
                options=RunOptions(),
                origin=Origin(),
            )
            began = time.monotonic()
            lifecycle.discover(store=store, connection=connection, run_id=run.run_id, stop=threading.Event())
            seconds = time.monotonic() - began
            listed = store.counts(run.run_id).discovered
            print(f"discovering {listed:,} objects into {what:18} {listed / seconds:9,.0f} objects/s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
