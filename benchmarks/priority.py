"""What a higher priority gets of the account's calls, and what is left for a lower one.

Two migrations in processes of their own, one account, the default pace of 47/s. First the low one alone; then a high one joins it;
then a high one with a cap of 15 calls a second.

    python benchmarks/priority.py [--seconds 20]

Target: the high one has at least 90 % of the pace while both work, the low one at least 3 %; with its cap the high one has all of
it and the low one the rest; together never less than 95 % of the pace.
"""

from __future__ import annotations

import argparse
import time

import psycopg
from stage import Stage, stage

RATE = 47.0
SETTLING_SECONDS = 3.0
OBJECTS = 40_000
"""More than is sent meanwhile, and so few that they are listed before the measuring begins: listing takes the machine's cores."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each part is measured")
    options = parser.parse_args()
    print(f"{'':24} {'high':>8} {'low':>8} {'together':>9} {'of 47/s':>8}")
    with stage() as play:
        play.sandbox(
            {
                "settings": {"latency_ms": 150},
                "buckets": [
                    {"name": name, "generate": {"count": OBJECTS, "dirt": 0}} for name in ("high", "low", "capped")
                ],
            }
        )
        url = play.database()
        start(play, url, "low", priority=2)
        measure(url, "low alone", options.seconds)
        high = start(play, url, "high", priority=8)
        measure(url, "high beside low", options.seconds)
        high.terminate()
        high.wait(30)
        start(play, url, "capped", priority=8, cap=15.0)
        measure(url, "high, at most 15/s", options.seconds)


def start(play: Stage, url: str, name: str, *, priority: int, cap: float | None = None):  # noqa: ANN201 - a process
    register = {"template_group_id": "VOD_NO_TRANSCODE"} | ({} if cap is None else {"calls_per_second": cap})
    file = play.migration(name, source={"bucket": name}, register=register, priority=priority)
    process = play.start("run", str(file), "--json")
    for _ in range(600):
        if calls(url).get(name):
            return process
        time.sleep(0.1)
    raise SystemExit(f"the run of {name} did not begin")


def calls(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select name, count(*) from vod_migrate.calls join vod_migrate.runs using (run_no) "
            "join vod_migrate.migrations using (migration_id) where answer = 'ok' group by name"
        ).fetchall()
    return dict(rows)


def measure(url: str, what: str, seconds: float) -> None:
    time.sleep(SETTLING_SECONDS)
    before, began = calls(url), time.monotonic()
    time.sleep(seconds)
    after, took = calls(url), time.monotonic() - began
    rates = {name: (count - before.get(name, 0)) / took for name, count in after.items()}
    low = rates.pop("low")
    high = sum(rates.values())
    print(f"{what:24} {high:8.1f} {low:8.1f} {high + low:9.1f} {(high + low) / RATE:8.1%}", flush=True)


if __name__ == "__main__":
    main()
