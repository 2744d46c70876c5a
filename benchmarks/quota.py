"""How much of the account's quota is used, and how often a call is throttled: ours, pyrate-limiter's Postgres bucket, and backoff alone.

The sandbox's quota of 50 calls in any sliding second; ours and pyrate-limiter are set to the default of 47. 1, 4 and 16 processes of one
migration; alone, with an exponential arrival jitter of 20 ms mean before the quota is counted, and beside a foreign caller that
takes 20 calls a second. Counted by the sandbox over the same number of seconds, after a beginning that is not counted.

    uv pip install pyrate-limiter
    python benchmarks/quota.py [--seconds 20] [--processes 1 4 16] [--only ours|pyrate|backoff]

Target for ours: at least 98.5 % of the rate; at most 0.1 % throttled on a steady network, 0.5 % with jitter.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

from baselines import RATE
from figures import Figures
from roundtrip import batches_of, discovered
from sharing import FOREIGN, QUOTA, Foreign, evenly
from stage import Stage, stage

from vod_migrate.media import FILES_PER_CALL

CONTESTANTS = ("ours", "pyrate", "backoff")
CONDITIONS = ("steady", "20 ms jitter", "foreign caller")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is counted")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--only", choices=CONTESTANTS)
    options = parser.parse_args()
    contestants = [options.only] if options.only else list(CONTESTANTS)
    if "pyrate" in contestants and importlib.util.find_spec("pyrate_limiter") is None:
        print("without pyrate-limiter: uv pip install pyrate-limiter", file=sys.stderr)
        contestants.remove("pyrate")
    figures = Figures(
        "quota",
        "contestant",
        "network",
        "processes",
        "calls/s",
        "of allowed",
        "throttled",
        "in any 1 s",
        "calls per 10 objects",
    )
    for condition in CONDITIONS:
        for processes in options.processes if condition != "foreign caller" else [4]:
            for contestant in contestants:
                with stage() as play:
                    counted = measure(play, contestant, condition, processes=processes, seconds=options.seconds)
                figures.row(
                    contestant,
                    condition,
                    processes,
                    f"{counted.rate:.2f}",
                    f"{counted.rate / counted.allowed:.1%}",
                    f"{counted.throttled:.2%}",
                    counted.most,
                    f"{counted.calls_per_batch:.3f}",
                )


@dataclass(frozen=True, kw_only=True)
class Counted:
    """rate: accepted calls a second; allowed: of them; throttled: share of the requests; most: accepted in any sliding second."""

    rate: float
    allowed: float
    throttled: float
    most: int
    calls_per_batch: float


def measure(play: Stage, contestant: str, condition: str, *, processes: int, seconds: float) -> Counted:
    beginning = 10.0 + processes  # each takes a second or more of CPU to start
    objects = int((beginning + seconds + 10) * RATE * FILES_PER_CALL)
    play.sandbox(
        {
            "settings": {"arrival_jitter_ms": 20 if condition == "20 ms jitter" else 0, "latency_ms": 30},
            "buckets": [
                {"name": "archive", "generate": {"count": objects, "dirt": 0}},
                {"name": "foreign", "generate": {"count": 1000, "dirt": 0}},
            ],
        }
    )
    url = play.database()
    run_id = discovered(play, "archive")
    foreign = Foreign(play) if condition == "foreign caller" else None
    batches = play.folder / "batches.json"
    batches.write_text(json.dumps(batches_of(url)[:1000]))
    for number in range(processes):
        if contestant == "ours":
            play.start("work", run_id, "--slot", f"slot-{number}")
        else:
            play.start_script("baselines.py", contestant, str(batches), str(beginning + seconds + 60))
    with foreign.calling(evenly()) if foreign else nullcontext():
        time.sleep(beginning)
        before, since = play.control("GET", "counters")["RegisterMedia"], time.time()
        time.sleep(seconds)
        after, until = play.control("GET", "counters")["RegisterMedia"], time.time()
    requests, throttled = (after[name] - before[name] for name in ("requests", "throttled"))
    accepted = requests - throttled
    allowed = float(RATE)
    if foreign:
        granted = foreign.granted(since, until)
        refused = int(FOREIGN * (until - since)) - granted
        accepted, throttled, allowed = (
            accepted - granted,
            throttled - max(0, refused),
            QUOTA - granted / (until - since),
        )
    return Counted(
        rate=accepted / (until - since),
        allowed=allowed,
        throttled=throttled / (accepted + throttled),
        most=after["most_accepted_in_a_second"],
        calls_per_batch=(accepted + throttled) / accepted,
    )


if __name__ == "__main__":
    main()
