"""A plan of very many objects: no RegisterMedia call, flat memory, and the numbers of the run that follows.

A generated bucket in the sandbox, dirty as real ones are; one process plans it and tells its memory while it does, another one
runs exactly that plan, against a quota that lets it finish soon.

    python benchmarks/planning.py [--objects 1000000] [--skip-run]

Prints objects planned a second, the planning process's resident memory at 10 % and at 100 % of the objects and at most, the
calls made until then, and each number of the plan beside that of the run; fails where they differ.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stage import Stage, stage

BUCKET = "media-archive"
FAST = "1000"
"""Calls a second of our own account, on a sandbox without a quota: the run is not what is measured."""
_EQUAL = ("discovered", "unchanged", "changed", "failed_before", "owned_elsewhere", "queued_elsewhere", "left_out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--skip-run", action="store_true", help="plan only")
    options = parser.parse_args()
    with stage() as play:
        play.sandbox(
            {
                "settings": {"quotas": {"RegisterMedia": None}},
                "buckets": [{"name": BUCKET, "generate": {"count": options.objects, "missing": 0}}],
            }
        )
        play.database()
        play.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = FAST
        file = play.migration(
            "planning",
            source={"bucket": BUCKET},
            register={"template_group_id": "VOD_NO_TRANSCODE"},
            describe={"title": "{{ stem }}", "tags": ["{{ folder }}"], "policies": {"title": "fail"}},
            stop_after={"failure_rate": 1},
        )
        plan = planned(play, file, options.objects)
        calls = play.control("GET", "counters").get("RegisterMedia", {}).get("requests", 0)
        print(f"RegisterMedia calls so far {calls}", flush=True)
        if calls or not plan["to_send"]:
            raise SystemExit("a plan sends nothing, and has something to send")
        if not options.skip_run:
            compare(plan, run(play, file, plan["digest"]))


def planned(play: Stage, file: Path, objects: int) -> dict[str, Any]:
    began = time.monotonic()
    with (play.folder / "plan.json").open("w+") as output:
        process = play.start("plan", str(file), "--json", stdout=output, stderr=sys.stderr)
        sizes: list[tuple[float, float]] = []
        while process.poll() is None:
            if (size := resident(process)) is not None:
                sizes.append((time.monotonic() - began, size))
            time.sleep(0.25)
        output.seek(0)
        plan: dict[str, Any] = json.load(output)
    if process.returncode:
        raise SystemExit(f"the plan ended with {process.returncode}")
    # Listing takes nearly all of the time, and each page as long as another.
    start = next(moment for moment, size in sizes if moment > 0)
    total = plan["planning_seconds"]
    first = sizes[-1][0] - total
    at_tenth = next(size for moment, size in sizes if moment >= max(start, first + total / 10))
    last = sizes[-1][1]
    print(f"planned {objects:,} objects in {total:.0f} s, {objects / total:,.0f} a second")
    print(
        f"resident memory {at_tenth:.0f} MiB at 10 %, {last:.0f} MiB at 100 %, {max(s for _, s in sizes):.0f} MiB at most"
    )
    print(
        f"to send {plan['to_send']:,} in {plan['batches']['calls']:,} calls, {plan['seconds'] / 60:.0f} min", flush=True
    )
    return plan


def resident(process: subprocess.Popen[str]) -> float | None:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None


def run(play: Stage, file: Path, digest: str) -> dict[str, Any]:
    began = time.monotonic()
    process = play.start("run", str(file), "--approve", digest, "--json", stdout=subprocess.PIPE, stderr=sys.stderr)
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    print(f"the run took {time.monotonic() - began:.0f} s")
    told: dict[str, Any] = json.loads(output)
    return told


def compare(plan: dict[str, Any], told: dict[str, Any]) -> None:
    counts = told["counts"]
    planned = {
        **plan,
        "discovered": plan["listed"],
        "left_out": {one["reason"]: one["count"] for one in plan["left_out"]},
    }
    rows = [(name, planned[name], counts[name]) for name in _EQUAL]
    rows += [
        ("sent", plan["to_send"], counts["registered"] + counts["already_registered"]),
        ("failed", plan["would_fail"], counts["failed"]),
        ("calls", plan["batches"]["calls"], told["calls"]),
    ]
    for name, expected, found in rows:
        print(f"{name:18} planned {expected}, run {found}")
    different = [name for name, expected, found in rows if expected != found and name != "calls"]
    if different:
        raise SystemExit(f"plan and run differ: {', '.join(different)}")


if __name__ == "__main__":
    main()
