"""The DAG `vod_reconcile__<name>`: compares OSS, the results and VOD for a migration, and fails where they differ."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from vod_migrate.airflow.dag import RETRYING, starting, timetable
from vod_migrate.airflow.hook import VodHook, open_results
from vod_migrate.airflow.operators import StoppableOperator, explained, reports_folder
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.migration.units import ALL_PARTS

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReconcileOperator(StoppableOperator):
    """Compares the books and repairs nothing. What is new in OSS is no failure: the next run registers it.

    Everything that differs is written beside the reports. Its XCom `return_value` is what `vod-migrate reconcile --json` prints,
    even if the task then fails.
    """

    ui_color = "#e3ecf7"

    def __init__(self, *, migration: Migration, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.migration = migration.resolved()

    def execute(self, context: Context) -> None:
        """One comparison; a retry makes another one."""
        from vod_migrate.audit.balance_text import balance_lines  # noqa: PLC0415 - not while parsing
        from vod_migrate.audit.drift import Drift  # noqa: PLC0415 - the same
        from vod_migrate.audit.reconciliation import Extent  # noqa: PLC0415 - the same
        from vod_migrate.audit.table_file import drift_file  # noqa: PLC0415 - the same
        from vod_migrate.report.terminal import rendered  # noqa: PLC0415 - the same
        from vod_migrate.run.reconciliation import reconcile  # noqa: PLC0415 - the same

        stop = self.begin()
        with explained(self), open_results() as store:
            migration = parse_migration(self.migration, origin=f"the migration of {self.task_id}")
            millionths = ALL_PARTS if migration.reconcile is None else migration.reconcile.millionths
            draw = random.randrange(2**31)  # noqa: S311 - a draw, not secrecy
            extent = Extent(millionths=millionths, seed=draw, library=millionths == ALL_PARTS)
            folder = reports_folder()
            path = None if folder is None else folder / f"{migration.name}.drift.csv"
            if folder is not None:
                with suppress(OSError):
                    folder.mkdir(parents=True, exist_ok=True)
            with drift_file(path, migration.source.bucket) as each:
                found = reconcile(
                    store=store,
                    connection=VodHook(migration.connection).connection,
                    migration=migration,
                    options=RunOptions(),
                    extent=extent,
                    stop=stop,
                    each=each,
                )
            self.log.info("%s", rendered(balance_lines(found.balance, name=migration.name), colour=False))
            where = "" if path is None else f" All differences are in {path}"
            if where:
                self.log.info("%s", where.strip())
            context["ti"].xcom_push(key="return_value", value=found.balance.as_json())
            for error in found.balance.trouble:
                raise error
            differing = found.balance.differing - found.balance.counts[Drift.NEW]
            if differing:
                raise AirflowFailException(
                    f"OSS, the results and VOD differ in {differing:,} ways, not counting new objects; see the log of this task, and repair "
                    f"it with `vod-migrate reconcile FILE`.{where}"
                )


def reconcile_dag(migration: Migration, origin: str) -> DAG | None:
    """The DAG that compares the books of a migration on its own schedule; None where the file asks for none.

    origin: the file that the migration was read from.
    """
    if migration.reconcile is None:
        return None
    with DAG(
        dag_id=f"vod_reconcile__{migration.name}",
        schedule=timetable(migration.reconcile.schedule, migration.timezone),
        start_date=starting(migration),
        catchup=False,
        max_active_runs=1,
        tags={"vod", "reconcile", migration.source.bucket},
        doc_md=f"Compares OSS, the results and VOD for the migration `{migration.name}` of `{origin}`, and repairs nothing.",
        description=f"Compares {migration.source.bucket} with the results and with VOD",
        default_args=RETRYING,
    ) as dag:
        ReconcileOperator(task_id="reconcile", migration=migration, connection_id=migration.connection)
    return dag
