"""Objects a second without a quota, where each call takes 120 ms: one worker of ours, the loop of the vendor's sample, one Airflow task per batch.

    python benchmarks/engine.py [--seconds 15] [--tasks 80] [--skip-airflow]

Ours with the default of 32 threads, all of it: claimed from the database, described, paced, sent and recorded. The loop keeps nothing. The
Airflow is this environment's, with a LocalExecutor, four tasks at a time, and a mapped task per batch, which keeps nothing either; its
start is not counted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path

import psycopg
from figures import Figures
from roundtrip import batches_of, discovered
from stage import Stage, stage

from vod_migrate.media import FILES_PER_CALL

LATENCY_MS = 120
FAST = "1000"
TASK_PER_BATCH = """
import json
import pathlib

from airflow.sdk import dag, task


@dag(schedule=None, max_active_tasks=4)
def task_per_batch():
    @task
    def batches(tasks: int):
        return json.loads(pathlib.Path(__file__).with_name("batches.json").read_text())[:tasks]

    @task
    def register(batch):
        from alibabacloud_vod20170321 import models
        from vod_migrate.cloud.clients import open_vod
        from vod_migrate.cloud.connection import connection_from_environment

        client = open_vod(connection_from_environment()).sdk
        client.register_media(models.RegisterMediaRequest(register_metadatas=json.dumps(batch), template_group_id="VOD_NO_TRANSCODE"))

    register.expand(batch=batches({tasks}))


task_per_batch()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long ours and the loop are counted")
    parser.add_argument("--tasks", type=int, default=80, help="of the Airflow")
    parser.add_argument("--skip-airflow", action="store_true")
    options = parser.parse_args()
    with_airflow = not options.skip_airflow
    if with_airflow and importlib.util.find_spec("airflow") is None:
        print("without Airflow: it is not installed here", file=sys.stderr)
        with_airflow = False
    figures = Figures("engine", "engine", "objects/s", "of the loop")
    with stage() as play:
        play.sandbox(
            {
                "settings": {"latency_ms": LATENCY_MS, "quotas": {"RegisterMedia": None}},
                "buckets": [{"name": "archive", "generate": {"count": int(options.seconds * 5000), "dirt": 0}}],
            }
        )
        url = play.database()
        play.environment["VOD_MIGRATE_CALLS_PER_SECOND"] = FAST
        run_id = discovered(play, "archive")
        batches = play.folder / "batches.json"
        batches.write_text(json.dumps(batches_of(url)[:1000]))
        loop = play.start_script("baselines.py", "sample", str(batches), str(options.seconds + 60))
        sample = objects_per_second(play, options.seconds)
        loop.kill()
        figures.row("loop of the sample", f"{sample:.0f}", "1.0 x")
        worker = play.start("work", run_id, "--slot", "one")
        ours = objects_per_second(play, options.seconds)
        worker.kill()
        figures.row("vod-migrate, one worker", f"{ours:.0f}", f"{ours / sample:.1f} x")
        if with_airflow:
            rate = airflow_objects_per_second(play, url, batches, tasks=options.tasks)
            figures.row("one Airflow task per batch", f"{rate:.0f}", f"{rate / sample:.2f} x")


def objects_per_second(play: Stage, seconds: float) -> float:
    """Of what is calling now, after a beginning that is not counted."""
    time.sleep(10)
    before, since = sent(play), time.monotonic()
    time.sleep(seconds)
    return (sent(play) - before) / (time.monotonic() - since)


def sent(play: Stage) -> int:
    return int(play.control("GET", "counters").get("RegisterMedia", {}).get("ok", 0)) * FILES_PER_CALL


def airflow_objects_per_second(play: Stage, url: str, batches: Path, *, tasks: int) -> float:
    """From the first call to the last one of a DAG run."""
    from demo.local_airflow import airflow_environment, local_airflow  # noqa: PLC0415 - only where Airflow is installed

    dags = play.folder / "dags"
    dags.mkdir()
    (dags / "task_per_batch.py").write_text(TASK_PER_BATCH.replace("{tasks}", str(tasks)))
    (dags / "batches.json").write_text(batches.read_text())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create database airflow")
        info = connection.info
        metadata = f"postgresql+psycopg2://{info.user}@/airflow?host={info.host}&port={info.port}"
    home = play.folder / "airflow"
    home.mkdir()
    settings = play.environment | airflow_environment(home, dags=dags, database=metadata)
    before = sent(play)
    with local_airflow(home, settings) as airflow:
        airflow.api.unpause("task_per_batch")
        airflow.api.trigger("task_per_batch", "one")
        while (began := time.monotonic()) and sent(play) == before:
            time.sleep(0.05)
        if airflow.api.wait("task_per_batch", "one", seconds=600) != "success":
            raise SystemExit("the DAG run failed")
        return (sent(play) - before) / (time.monotonic() - began)


if __name__ == "__main__":
    main()
