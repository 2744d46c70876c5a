"""An example of your own DAG around a migration: it waits until VOD can play what was registered, then one step of your own follows.

It is paused and has no schedule; copy it and change what you need.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.sdk import DAG, task

from vod_migrate.airflow.dag import migration_group
from vod_migrate.airflow.hook import VodHook
from vod_migrate.airflow.sensor import VodMediaReadySensor
from vod_migrate.migration.loader import parse_migration

MIGRATION = parse_migration(
    {
        "name": "example_group",
        "connection": "vod_sandbox",
        "source": {"bucket": "media-archive", "prefixes": ["interviews/"]},
        "register": {"template_group_id": "VOD_NO_TRANSCODE"},
    },
    origin=__file__,
)

with DAG(
    dag_id="vod_example_group",
    schedule=None,
    start_date=dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    is_paused_upon_creation=True,
    tags={"vod", "example"},
    doc_md=__doc__,
):

    @task
    def check_bucket() -> str:
        """The hook by itself: the bucket's region, through the connection's own credentials."""
        bucket = VodHook("vod_sandbox").get_bucket(MIGRATION.source.bucket)
        return str(bucket.get_bucket_info().location)

    @task
    def announce(summary: dict[str, Any]) -> str:
        """The summary is what `vod-migrate run --json` prints."""
        counts = summary["counts"]
        return f"{counts['registered']} registered, {counts['failed']} failed"

    interviews = migration_group(MIGRATION, options={"limit": 1000})
    playable = VodMediaReadySensor(task_id="playable", run=interviews.summary, poke_interval=30, timeout=7200)
    check_bucket() >> interviews
    playable >> announce(interviews.summary)  # type: ignore[arg-type]  # resolved to the dict when it runs
