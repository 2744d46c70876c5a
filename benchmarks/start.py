"""Times to start: the command line, Airflow's parsing of 100 migration files, and the demo from its command to its end.

    python benchmarks/start.py [--times 5] [--skip-airflow]

The parsing is that of the DAG processor, without its import of Airflow, which each of its processes has behind it; beside it 100 DAGs of one
empty task each, written as Python files. The demo is `make demo` with 5,000 objects: sandbox, Postgres, Airflow, a migration, and its check.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from figures import Figures
from stage import Stage, stage

ROOT = Path(__file__).parents[1]
FILES = 100
PARSING = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
cpu, before = time.process_time(), time.perf_counter()
bag = DagBag(sys.argv[1])
print(len(bag.dags), time.perf_counter() - before, time.process_time() - cpu)
"""
EMPTY = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG("empty_{number}", schedule=None):
    EmptyOperator(task_id="nothing")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--skip-airflow", action="store_true")
    options = parser.parse_args()
    figures = Figures("start", "what", "median", "slowest", "CPU, median")

    def row(what: str, taken: list[tuple[float, float]]) -> None:
        seconds, cpu = zip(*taken, strict=True)
        figures.row(
            what, *(f"{found:.2f} s" for found in (statistics.median(seconds), max(seconds), statistics.median(cpu)))
        )

    def repeated(what: str, once: Callable[[], tuple[float, float]]) -> None:
        once()
        row(what, [once() for _ in range(options.times)])

    with stage() as play:
        play.database()
        file = play.migration("one", source={"bucket": "archive"}, register={"template_group_id": "VOD_NO_TRANSCODE"})
        repeated("python -c pass", lambda: waited(play, "-c", "pass"))
        for command in (("--version",), ("--help",), ("describe", str(file), "a.mp4"), ("status",)):
            shown = " ".join(part if part != str(file) else "FILE" for part in command)
            repeated(f"vod-migrate {shown}", lambda command=command: waited(play, "-m", "vod_migrate.cli", *command))
        if options.skip_airflow:
            return
        if importlib.util.find_spec("airflow") is None:
            print("without Airflow: it is not installed here", file=sys.stderr)
            return
        ours, plain = folders(play.folder)
        repeated(f"parsing of {FILES} migration files", lambda: parsed(play, ours))
        repeated(f"parsing of {FILES} files with an empty DAG each", lambda: parsed(play, plain))
        demo = ("-m", "demo", "--objects", "5000", "--no-keep", "--folder", str(play.folder / "demo"))
        row("make demo", [waited(play, *demo)])


def waited(play: Stage, *arguments: str) -> tuple[float, float]:
    """Seconds until a Python process has ended, and of its CPU with that of all it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    run(play, *arguments)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(play: Stage, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=play.environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"python {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def folders(folder: Path) -> tuple[Path, Path]:
    """A DAG folder with migration files, and one with a DAG in each file."""
    ours, plain = folder / "ours", folder / "plain"
    for place in (ours / "migrations", plain):
        place.mkdir(parents=True)
    (ours / "vod_backfill.py").write_text((ROOT / "dags" / "vod_backfill.py").read_text(encoding="utf-8"))
    text = (ROOT / "dags" / "migrations" / "sandbox.yaml").read_text(encoding="utf-8")
    for number in range(FILES):
        named = text.replace("name: sandbox", f"name: archive_{number}", 1)
        (ours / "migrations" / f"archive_{number}.yaml").write_text(named, encoding="utf-8")
        (plain / f"empty_{number}.py").write_text(EMPTY.replace("{number}", str(number)))
    return ours, plain


def parsed(play: Stage, dags: Path) -> tuple[float, float]:
    """Seconds that a DagBag took, and of CPU."""
    play.environment |= {
        "AIRFLOW_HOME": str(play.folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }
    count, seconds, cpu = run(play, "-c", PARSING, str(dags)).splitlines()[-1].split()
    if int(count) != FILES:
        raise SystemExit(f"{count} DAGs were parsed of {FILES}")
    return float(seconds), float(cpu)


if __name__ == "__main__":
    main()
