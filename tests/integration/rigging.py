"""What the tests of this folder drive the engine with."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from psycopg.rows import tuple_row

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import Interrupted, VodMigrateError
from vod_migrate.metrics import Metrics
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import parse_options
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run import lifecycle
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin
from vod_migrate.run.settle import Summary, finish
from vod_migrate.sandbox.pytest_plugin import Sandbox
from vod_migrate.shutdown import Timings

BUCKET = "media-archive"

FAST = Timings(
    glance=0.01,
    idle=0.01,
    signal=0.05,
    retry_first=0.02,
    retry_longest=0.1,
    breaker_glance=0.02,
    probe=0.05,
    canary_lock=0.02,
    media_again=0.05,
    first_again=0.1,
)
"""Looks far more often than a machine in production would."""


class Rig:
    """The engine against a sandbox, as the command line drives it."""

    def __init__(self, store: Store, connection: Connection, sandbox: Sandbox) -> None:
        self.store, self.connection, self.sandbox = store, connection, sandbox
        self.timings = FAST
        self.metrics: Metrics | None = None
        self.stop = threading.Event()
        self.by = ""

    def waits(self, **seconds: float) -> None:
        """Makes some waits of the runs that follow longer or shorter."""
        self.timings = replace(self.timings, **seconds)

    def unlimited(self) -> None:
        """Neither VOD's quota nor the account's own rate holds a run up: for tests that are about something else."""
        self.sandbox.settings(quotas={"RegisterMedia": None})
        self.connection = replace(self.connection, calls_per_second=500.0)

    def migration(self, name: str = "nightly", **content: Any) -> Migration:
        register = {"template_group_id": "VOD_NO_TRANSCODE", **content.pop("register", {})}
        register = {key: value for key, value in register.items() if value is not None}
        source = {"bucket": BUCKET, **content.pop("source", {})}
        return parse_migration({"name": name, "source": source, "register": register, **content}, origin="test")

    def prepare(
        self,
        migration: Migration | None = None,
        *,
        local_date: Any = None,
        origin: Origin | None = None,
        **options: Any,
    ) -> Run:
        return prepare(
            store=self.store,
            connection=self.connection,
            migration=migration or self.migration(),
            options=parse_options(options),
            origin=origin or Origin(by=self.by),
            date=local_date,
        )

    def prepare_in_airflow(self, migration: Migration | None = None, dag_run_id: str = "night", **options: Any) -> Run:
        """As the first task of a DAG run does."""
        origin = Origin(kind="airflow", dag_id="d", dag_run_id=dag_run_id)
        return self.prepare(migration, origin=origin, **options)

    def discover(self, run: Run, stop: threading.Event | None = None) -> None:
        lifecycle.discover(
            store=self.store,
            connection=self.connection,
            run_id=run.run_id,
            stop=stop or threading.Event(),
            metrics=self.metrics,
            timings=self.timings,
        )

    def discover_a_page(self, run: Run) -> None:
        """Lists, and is told to stop while the first page is merged."""
        stop, merged = threading.Event(), self.store.merge_page

        def merge_once(*given: Any) -> Any:
            stop.set()
            return merged(*given)

        self.store.merge_page = merge_once  # type: ignore[method-assign]
        try:
            with pytest.raises(Interrupted):
                self.discover(run, stop)
        finally:
            self.store.merge_page = merged  # type: ignore[method-assign]

    def register(self, run: Run, stop: threading.Event | None = None, slot: str = "one") -> None:
        lifecycle.register(
            store=self.store,
            connection=self.connection,
            run_id=run.run_id,
            slot=slot,
            stop=stop or threading.Event(),
            metrics=self.metrics,
            timings=self.timings,
        )

    def run(self, migration: Migration | None = None, **options: Any) -> Summary:
        """A whole run; what ended it early is in the summary's error."""
        return self.complete(self.prepare(migration, **options))

    def complete(self, run: Run) -> Summary:
        """Discovers and registers for a prepared run, and ends it."""
        for step in (self.discover, self.register):
            try:
                step(run)
            except VodMigrateError:
                continue
        return finish(store=self.store, run_id=run.run_id)

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.connection() as connection:
            return connection.cursor(row_factory=tuple_row).execute(query.encode(), values).fetchall()

    def results(self, bucket: str = BUCKET) -> dict[str, tuple[str, str | None, str | None]]:
        """key: (state, media_id, code); pending: it is in the open queue of a run."""
        known = self.rows(
            "select key, case when gone then 'gone' when registered then 'registered' else 'failed' end, media_id, code "
            "from vod_migrate.objects join vod_migrate.sources using (source_id) where bucket = %s",
            bucket,
        )
        waiting = self.rows(
            "select key, 'pending' as state, null as media_id, null as code from vod_migrate.work join vod_migrate.queues using (queue_no, source_id) "
            "join vod_migrate.sources using (source_id) where bucket = %s and gate = 'open'",
            bucket,
        )
        return {row[0]: (row[1], row[2], row[3]) for row in (*known, *waiting)}

    def lapse(self, run: Run) -> None:
        """Everybody who works on a run is dead, and has been so for long."""
        self.rows(
            "update vod_migrate.workers set expires_at = now() - interval '1 h' where run_no = %s returning 1",
            run.run_no,
        )

    def assert_results_equal_truth(self, bucket: str = BUCKET) -> None:
        """Every registered file of the sandbox is a registered result with its MediaId, and the other way round."""
        ours = {key: media for key, (state, media, _) in self.results(bucket).items() if state == "registered"}
        assert ours == {key: item.media_id for key, item in self.sandbox.truth(bucket).items()}

    def calls(self) -> int:
        return int(self.sandbox.counters().get("RegisterMedia", {}).get("requests", 0))


def put(sandbox: Sandbox, count: int, name: str = "f{:05}.mp4") -> None:
    """Small objects whose names have a number."""
    for number in range(count):
        sandbox.put(BUCKET, name.format(number))
