"""`make chaos`: at least 100 kills over the suite's seeds; each seed says what was killed and what came out.

python tests/chaos/run.py [--seed 7] [--seeds 4] [--kills 26] [--first 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rehearsal import Rehearsal
from verdict import Verdict, judge

SEEDS = 4
KILLS = 26


def rehearse(seed: int, *, kills: int) -> Verdict:
    """One seed in a folder of its own; raises AssertionError when something is lost."""
    with tempfile.TemporaryDirectory(prefix="vod-chaos-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        rehearsal = Rehearsal(Path(folder), seed=seed, kills=kills)
        try:
            rehearsal.run()
            return judge(rehearsal)
        except AssertionError:
            print(rehearsal.state(), file=sys.stderr)
            raise
        finally:
            rehearsal.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--first", type=int, default=1, help="the first of several seeds")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--kills", type=int, default=KILLS, help="kills of each seed")
    options = parser.parse_args()
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    kills, began = 0, time.monotonic()
    for seed in seeds:
        started = time.monotonic()
        try:
            verdict = rehearse(seed, kills=options.kills)
        except AssertionError as error:
            raise SystemExit(
                f"seed {seed} failed: {error}\nagain: make chaos SEED={seed} KILLS={options.kills}"
            ) from error
        kills += verdict.kills.total()
        print(f"{verdict}; {time.monotonic() - started:.0f} s", flush=True)
    print(f"{kills} kills in {time.monotonic() - began:.0f} s: nothing lost, nothing sent again that was known")


if __name__ == "__main__":
    main()
