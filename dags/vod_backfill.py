"""One DAG for each migration file: dags/migrations/<file>.yaml becomes vod_backfill__<name> in Airflow.

A file with `reconcile` has a second one, vod_reconcile__<name>.

A file that cannot be used has no DAG and hides no other; vod_backfill_problems.py shows what is wrong with it.
"""

from __future__ import annotations

from pathlib import Path

from vod_migrate.airflow.dag import migration_dag
from vod_migrate.airflow.migration_folder import read_folder
from vod_migrate.airflow.reconciliation import reconcile_dag

FOLDER = Path(__file__).parent / "migrations"

for file in read_folder(FOLDER).usable:
    origin = f"dags/migrations/{file.path.name}"
    globals()[file.migration.dag_id] = migration_dag(file.migration, origin)
    if (comparing := reconcile_dag(file.migration, origin)) is not None:
        globals()[comparing.dag_id] = comparing
