"""What it takes to rebuild an empty results database from a bucket and VOD's library, and to compare the three books afterwards.

The sandbox registers every object behind our back, with its quotas as VOD has them. Then `vod-migrate reconcile --repair not_recorded --yes`
on an empty database, `vod-migrate run`, which must make no call, and `vod-migrate reconcile`, each a process of its own: seconds, calls,
and the most memory that it held.

    python benchmarks/reconcile.py [--objects 100000]

Target: at most ⌈objects / 20⌉ calls of BatchGetMediaInfos each, no difference at the end, and at most 200 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from math import ceil
from typing import Any

from stage import Stage, stage

BUCKET = "media-archive"
MOST_BYTES = 200e6
IDS_PER_CALL = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    options = parser.parse_args()
    with stage() as play:
        play.sandbox({"buckets": [{"name": BUCKET, "generate": {"count": options.objects, "dirt": 0}}]})
        play.database()
        file = str(
            play.migration("books", source={"bucket": BUCKET}, register={"template_group_id": "VOD_NO_TRANSCODE"})
        )
        registered = play.control("POST", "media", {"bucket": BUCKET})["registered"]
        print(f"{registered:,} media of {options.objects:,} objects; the results know none of them", flush=True)
        rebuilt = measured(play, "reconcile", file, "--repair", "not_recorded", "--yes", "--json")
        run = measured(play, "run", file, "--json")
        compared = measured(play, "reconcile", file, "--json")
        sampled = measured(play, "reconcile", file, "--sample", "1", "--json")
    done = rebuilt["repaired"]["done"] == {"not_recorded": registered} and rebuilt["left"] == compared["left"] == 0
    fewest = all(told["calls"]["BatchGetMediaInfos"] == ceil(registered / IDS_PER_CALL) for told in (rebuilt, compared))
    flat = all(told["memory"] <= MOST_BYTES for told in (rebuilt, compared, sampled))
    if not (done and fewest and flat and run["calls"] == 0):
        raise SystemExit("a target was missed")


def measured(play: Stage, *arguments: str) -> dict[str, Any]:
    """Runs a command, prints what it took, and returns its JSON with `memory`, the bytes that it held at most."""
    began = time.monotonic()
    process = play.start(*arguments, stdout=subprocess.PIPE)
    if process.stdout is None:
        raise AssertionError("it was asked for")
    line = process.stdout.readline()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    told: dict[str, Any] = {**json.loads(line), "memory": used.ru_maxrss * 1024}
    calls = told["calls"]
    shown = (
        ", ".join(f"{count:,} {api}" for api, count in calls.items())
        if isinstance(calls, dict)
        else f"{calls:,} RegisterMedia"
    )
    name = " ".join(word for word in arguments if word not in ("--json", arguments[1]))
    print(
        f"{name:46} {time.monotonic() - began:6.1f} s  {told['memory'] / 1e6:4.0f} MB at most, "
        f"{used.ru_utime + used.ru_stime:5.1f} s of CPU; calls: {shown}",
        flush=True,
    )
    return told


if __name__ == "__main__":
    main()
