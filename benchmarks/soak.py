"""A million objects through four workers with 5 % faults: are the results the truth, and is memory flat?

One migration, `vod-migrate run` and three `vod-migrate work` beside it, a dirty bucket, the sandbox without a quota and a pace that
lets the machine run as fast as it can. One call in 25 is hit by a fault (an answer of 503 or 502, a connection reset, before the effect and
after it), and one file in 100 is refused, always, or now and then not mentioned.

    python benchmarks/soak.py [--objects 1000000]

Prints each worker's resident memory at 10, 50 and 100 % of the work, and compares the results with the truth in SQL. Exits with 1
when they differ, or when a worker's memory at the end is more than 20 % above that at 10 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import psycopg
from stage import Stage, stage, wait_for_runs

BUCKET = "media-archive"
FASTEST = 1000
FAULTS = [
    {"kind": "http_503", "api": "RegisterMedia", "rate": 0.01},
    {"kind": "reset", "api": "RegisterMedia", "rate": 0.01},
    {"kind": "reset", "api": "RegisterMedia", "rate": 0.01, "when": "after"},
    {"kind": "html_502", "api": "RegisterMedia", "rate": 0.01, "when": "after"},
    # The same files each time: refused twice at random, a file that is registered already would be told as failed.
    {"kind": "fail_files", "rate": 0.005},
    {"kind": "omit_files", "rate": 0.005, "sticky": False, "when": "after"},
]
GLANCE_SECONDS = 5.0
MARKS = (10, 50, 100)
MOST_GROWTH = 1.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1_000_000)
    options = parser.parse_args()
    with stage() as play:
        flat = soak(play, objects=options.objects)
    if not flat:
        raise SystemExit("a worker's memory grew by more than a fifth")


def soak(play: Stage, *, objects: int) -> bool:
    """Whether the memory of every worker stayed flat; exits when the results are not the truth."""
    play.sandbox(
        {
            "buckets": [{"name": BUCKET, "generate": {"count": objects}}],
            "settings": {"quotas": {"RegisterMedia": None}},
            "faults": FAULTS,
        }
    )
    url = play.database()
    play.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = str(FASTEST)
    file = play.migration(
        "soak", source={"bucket": BUCKET}, register={"template_group_id": "VOD_NO_TRANSCODE", "threads": 16}
    )
    began = time.monotonic()
    out = (play.folder / "run.json").open("w+", encoding="utf-8")
    workers = {"run": play.start("run", str(file), "--json", stdout=out)}
    (run_id,) = wait_for_runs(url, 1)
    for slot in ("two", "three", "four"):
        workers[slot] = play.start("work", run_id, "--slot", slot)
    sizes = watch(url, workers, objects=objects, began=began)
    seconds = time.monotonic() - began
    print(f"{'worker':8}" + "".join(f"{mark:>6} %" for mark in MARKS) + "    resident memory in MiB")
    for name, by_mark in sizes.items():
        print(f"{name:8}" + "".join(f"{by_mark.get(mark, 0):8.0f}" for mark in MARKS))
    for name, process in workers.items():
        if process.wait(60) != 0:
            raise SystemExit(f"{name} ended with exit code {process.returncode}")
    out.seek(0)
    counts = json.loads(out.read())["counts"]
    out.close()
    print(
        f"{counts['discovered']:,} objects listed, {sum(counts['left_out'].values()):,} left out, {counts['registered']:,} registered, "
        f"{counts['already_registered']:,} already registered (the answer was lost), {counts['failed']:,} failed in {seconds:,.0f} s: "
        f"{counts['discovered'] / seconds:,.0f} objects/s",
        flush=True,
    )
    compare(play, url, listed=counts["discovered"], left_out=sum(counts["left_out"].values()))
    if counts["discovered"] != objects:
        raise SystemExit(f"{counts['discovered']:,} objects were listed, the bucket has {objects:,}")
    return all(by_mark[100] <= MOST_GROWTH * by_mark[10] for by_mark in sizes.values())


def watch(
    url: str, workers: dict[str, subprocess.Popen[str]], *, objects: int, began: float
) -> dict[str, dict[int, float]]:
    """Each worker's MiB by mark; the last one is the last size seen before it ended."""
    sizes: dict[str, dict[int, float]] = {name: {} for name in workers}
    told = time.monotonic()
    while any(process.poll() is None for process in workers.values()):
        time.sleep(GLANCE_SECONDS)
        with psycopg.connect(url) as connection:
            row = connection.execute("select sum(objects) from vod_migrate.counts").fetchone()
        done = 100 * int((row and row[0]) or 0) / objects
        for name, process in workers.items():
            size = resident(process.pid)
            if size is None:
                continue
            for mark in MARKS[:-1]:
                if done >= mark:
                    sizes[name].setdefault(mark, size)
            sizes[name][MARKS[-1]] = size
        if time.monotonic() - told >= 60:
            told = time.monotonic()
            now = ", ".join(f"{by_mark.get(100, 0):.0f}" for by_mark in sizes.values())
            print(f"{done:5.1f} % after {told - began:,.0f} s; MiB: {now}", file=sys.stderr, flush=True)
    return sizes


def resident(pid: int) -> float | None:
    """MiB, None for a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), None)


def compare(play: Stage, url: str, *, listed: int, left_out: int) -> None:
    """Holds every registered result against what the sandbox registered, both ways."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute('create temporary table truth (key text collate "C" primary key, media_id text not null)')
        with (
            urlopen(f"{play.sandbox_url}/_sandbox/truth?bucket={BUCKET}", timeout=600) as answer,  # noqa: S310 - loopback
            cursor.copy("copy truth (key, media_id) from stdin") as copy,
        ):
            for line in answer:
                row = json.loads(line)
                copy.write_row((row["key"], row["media_id"]))
        cursor.execute(
            "select count(*), count(*) filter (where r.media_id = t.media_id), count(*) filter (where t.key is null) "
            "from (select key, media_id from vod_migrate.objects where registered) r full join truth t using (key)"
        )
        total, same, _ = cursor.fetchone() or (0, 0, 0)
        cursor.execute(
            "select case when registered then 'registered' else 'failed' end, count(*) from vod_migrate.objects group by 1 order by 1"
        )
        states = dict(cursor.fetchall())
    told = ", ".join(f"{count:,} {state}" for state, count in states.items())
    print(f"results: {told}; {same:,} of {total:,} registered files have the truth's MediaId", flush=True)
    if total != same or set(states) - {"registered", "failed"}:
        raise SystemExit("the results are not the truth")
    if sum(states.values()) + left_out != listed:
        raise SystemExit(
            f"{listed:,} objects were listed, but {sum(states.values()):,} results and {left_out:,} left out are known"
        )


if __name__ == "__main__":
    main()
