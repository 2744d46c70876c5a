"""How long each benchmark took, and whether its target was met.

python benchmarks/bench.py                 # all of them, then docs/reference/benchmarks.md: `make bench`, about two hours
python benchmarks/bench.py --small         # whether each still starts, in a quarter of an hour; figures go to build/benchmarks/small
python benchmarks/bench.py soak store      # some of them
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from figures import FOLDER, Figures

HERE = Path(__file__).parent
SMALL = {
    "engine": ("--seconds", "3", "--tasks", "8"),
    "growth": ("--keys", "50000"),
    "listing": ("--keys", "200000", "--pages", "20"),
    "manifest": ("20000",),
    "planning": ("--objects", "5000"),
    "priority": ("--seconds", "3"),
    "quota": ("--seconds", "3", "--processes", "1"),
    "reconcile": ("--objects", "2000"),
    "room": ("--objects", "60000", "--pending", "50000"),
    "roundtrip": ("--objects", "2000", "--round-trips", "0"),
    "sharing": ("--seconds", "5", "--outage", "3"),
    "soak": ("--objects", "10000"),
    "start": ("--times", "1"),
    "store": ("--objects", "50000", "--times", "1"),
}
"""The benchmarks by name, in the order in which they run, with their options for a small one: its figures mean nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="only see that each one starts")
    parser.add_argument("only", nargs="*", choices=[[], *SMALL], metavar="NAME")
    options = parser.parse_args()
    environment = dict(os.environ)
    if options.small:
        environment["BENCHMARK_FIGURES"] = str(FOLDER / "small")
    ended = []
    for name in options.only or SMALL:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        script = [sys.executable, str(HERE / f"{name}.py"), *(SMALL[name] if options.small else ())]
        status = subprocess.run(script, env=environment, check=False).returncode
        ended.append(
            (name, f"{(time.monotonic() - began) / 60:.1f} min", "met" if status == 0 else "missed, or failed")
        )
    figures = Figures("small" if options.small else "bench", "benchmark", "took", "target")
    for row in ended:
        figures.row(*row)
    if not options.small:
        subprocess.run([sys.executable, str(HERE / "summary.py")], check=True)
    if missed := [name for name, _, told in ended if told != "met"]:
        raise SystemExit(f"missed its target, or failed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
