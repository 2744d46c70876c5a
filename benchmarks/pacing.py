"""How much of the account's quota four workers of two migrations use, and how often they are throttled.

Two migrations, two worker processes each, one account, the sandbox's quota of 50 calls in any sliding second, our default
pace of 47/s: on a steady network, and with an exponential arrival jitter of 20 ms mean before the quota is counted.

    python benchmarks/pacing.py [--objects 14000]

Target: at least 97 % of 47/s from the first to the last full second; at most 0.1 % throttled (0.5 % with jitter); calls at
most 1.01 times objects / 10.
"""

from __future__ import annotations

import argparse
import subprocess
import time

from stage import Stage, stage

PACE = 47.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=14_000, help="objects of each migration")
    options = parser.parse_args()
    print(
        f"{'network':18} {'calls':>6} {'calls/s':>8} {'of 47/s':>8} {'throttled':>10} {'in any 1 s':>10} {'calls per 10 objects':>21}"
    )
    for name, jitter in (("steady", 0), ("20 ms jitter", 20)):
        with stage() as play:
            measure(play, name, jitter=jitter, objects=options.objects)


def measure(play: Stage, name: str, *, jitter: int, objects: int) -> None:
    buckets = ["archive-one", "archive-two"]
    play.sandbox(
        {
            "settings": {"arrival_jitter_ms": jitter, "latency_ms": 30},
            "buckets": [{"name": bucket, "generate": {"count": objects, "dirt": 0}} for bucket in buckets],
        }
    )
    url = play.database()
    files = [
        play.migration(bucket, source={"bucket": bucket}, register={"template_group_id": "VOD_NO_TRANSCODE"})
        for bucket in buckets
    ]
    runs = [play.start("run", str(file), "--json", stdout=subprocess.PIPE) for file in files]
    helpers = [play.start("work", run_id, "--slot", "second") for run_id in wait_for_runs(url, len(files))]
    for process in [*runs, *helpers]:
        if process.wait(600) != 0:
            raise SystemExit(f"a worker ended with exit code {process.returncode}")
    told = play.control("GET", "counters")["RegisterMedia"]
    seconds = {int(second): count for second, count in told["accepted_per_second"].items()}
    full = list(range(min(seconds) + 1, max(seconds)))
    rate = sum(seconds.get(second, 0) for second in full) / len(full)
    print(
        f"{name:18} {told['requests']:6,} {rate:8.2f} {rate / PACE:8.1%} {told['throttled'] / told['requests']:10.2%} "
        f"{told['most_accepted_in_a_second']:10} {told['requests'] / (2 * objects / 10):21.4f}",
        flush=True,
    )


def wait_for_runs(url: str, count: int) -> list[str]:
    from vod_migrate.results.store import Store  # noqa: PLC0415 - after the stage is set

    with Store.open(url, connections=2) as store:
        for _ in range(300):
            runs = store.runs()
            if len(runs) == count:
                return [run.run_id for run in runs]
            time.sleep(0.1)
    raise SystemExit("the runs did not begin")


if __name__ == "__main__":
    main()
