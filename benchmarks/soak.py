"""A million objects through four workers with 5 % faults: are the results the truth, and are memory and the cost of an object flat?

One migration, `vod-migrate run` and three `vod-migrate work` beside it, a dirty bucket, the sandbox without a quota and a pace that
lets the machine run as fast as it can. One call in 25 is hit by a fault (an answer of 503 or 502, a connection reset, before the effect and
after it), and one file in 100 is refused, always, or now and then not mentioned.

    python benchmarks/soak.py [--objects 1000000]        # 6 minutes

The table has a row for each tenth of what was settled; the last row is what was refused and is tried once more, alone. Then the results are
compared with the truth in SQL. CPU is that of the four workers and of Postgres. Other programs on the machine make CPU slower, too: the last
column is what the same calculation took meanwhile, and the target is about CPU in such calculations.

Target: a worker's memory of at most 250 MiB, and flat: at the end at most a fifth above that at the first tenth; the CPU of an object in
the last tenth within 10 % of that in the second (in the first, the bucket is still listed). Exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import psutil
import psycopg
from figures import Figures
from listing import cpu_of
from stage import Stage, postgres_of, stage, wait_for_runs

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
GLANCE_SECONDS = 2.0
CALCULATION = json.dumps([{"key": f"films/{number}.mp4", "sent": {"Title": str(number)}} for number in range(20_000)])
LONG = 500_000
"""A tenth of fewer objects is over after a few glances."""
MARKS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0)
MOST_MEMORY = 250
MOST_GROWTH = 1.2
MOST_SLOPE = 1.1


class Glance(NamedTuple):
    """At one moment: seconds since the start, objects settled, seconds of CPU so far, each worker's MiB; calculation: seconds of CPU."""

    at: float
    settled: int
    workers_cpu: float
    postgres_cpu: float
    memory: tuple[float, ...]
    calculation: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1_000_000)
    options = parser.parse_args()
    with stage() as play:
        missed = soak(play, objects=options.objects)
    if missed:
        raise SystemExit(missed)


def soak(play: Stage, *, objects: int) -> str:
    """The target that was missed, or nothing; exits when the results are not the truth."""
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
    glances = watch(url, list(workers.values()), began=began)
    seconds = time.monotonic() - began
    for name, process in workers.items():
        if process.wait(60) != 0:
            raise SystemExit(f"{name} ended with exit code {process.returncode}")
    out.seek(0)
    counts = json.loads(out.read())["counts"]
    out.close()
    missed = table(glances)
    print(
        f"{counts['discovered']:,} objects listed, {sum(counts['left_out'].values()):,} left out, {counts['registered']:,} registered, "
        f"{counts['already_registered']:,} already registered (the answer was lost), {counts['failed']:,} failed in {seconds:,.0f} s: "
        f"{counts['discovered'] / seconds:,.0f} objects/s",
        flush=True,
    )
    compare(play, url, listed=counts["discovered"], left_out=sum(counts["left_out"].values()))
    if counts["discovered"] != objects:
        raise SystemExit(f"{counts['discovered']:,} objects were listed, the bucket has {objects:,}")
    return missed


def watch(url: str, workers: list[subprocess.Popen[str]], *, began: float) -> list[Glance]:
    """What was seen every two seconds until the first worker ended, which is when nothing is left to send."""
    postgres = postgres_of(url)
    processes = [psutil.Process(worker.pid) for worker in workers]
    glances: list[Glance] = []
    told = time.monotonic()
    with psycopg.connect(url, autocommit=True) as connection:
        while all(worker.poll() is None for worker in workers):
            row = connection.execute("select coalesce(sum(objects), 0)::bigint from vod_migrate.counts").fetchone()
            memory = [resident(process.pid) for process in processes]
            if row and None not in memory:
                sizes = tuple(size or 0.0 for size in memory)
                cpu = sum(cpu_of(process) for process in processes)
                now = time.monotonic() - began
                glances.append(Glance(now, row[0], cpu, cpu_of(postgres), sizes, calculated()))
            if time.monotonic() - told >= 60 and glances:
                told = time.monotonic()
                now = ", ".join(f"{size:.0f}" for size in glances[-1].memory)
                print(f"{glances[-1].settled:,} after {told - began:,.0f} s; MiB: {now}", file=sys.stderr, flush=True)
            time.sleep(GLANCE_SECONDS)
    return glances


def table(glances: list[Glance]) -> str:
    """Prints a row for each tenth. Returns the target that was missed, or nothing."""
    figures = Figures(
        "soak",
        "settled",
        "time",
        "an object since then",
        "workers' CPU",
        "Postgres' CPU",
        "memory of a worker, at most",
        "the same calculation",
    )
    total = glances[-1].settled
    points = [next(glance for glance in glances if glance.settled >= mark * total) for mark in MARKS]
    costs = []
    for before, after in pairwise([glances[0], *points]):
        count = max(1, after.settled - before.settled)
        workers, postgres = after.workers_cpu - before.workers_cpu, after.postgres_cpu - before.postgres_cpu
        between = [one.calculation for one in glances if before.at < one.at <= after.at]
        calculation = statistics.mean(between or [after.calculation])
        costs.append((workers + postgres) / count / calculation)
        each = [f"{1e6 * spent / count:.0f} µs" for spent in (after.at - before.at, workers, postgres)]
        memory = f"{max(after.memory):.0f} MiB"
        figures.row(after.settled, f"{after.at:.0f} s", *each, memory, f"{1000 * calculation:.1f} ms")
    if max(max(glance.memory) for glance in glances) > MOST_MEMORY:
        return f"a worker took more than {MOST_MEMORY} MiB"
    if any(last > MOST_GROWTH * first for first, last in zip(points[0].memory, points[-1].memory, strict=True)):
        return "a worker's memory grew by more than a fifth"
    if total >= LONG and costs[-2] > MOST_SLOPE * costs[1]:
        return f"an object took {costs[-2] / costs[1]:.2f} times the CPU at the end that it took at the start"
    return ""


def calculated() -> float:
    """Seconds of this process's CPU that a calculation took, much like a worker's: text to objects and back."""
    began = time.process_time()
    json.dumps(json.loads(CALCULATION))
    return time.process_time() - began


def resident(pid: int, field: str = "VmRSS") -> float | None:
    """MiB, None for a process that is gone. field: VmHWM for the most that it held."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field)), None)


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
