"""One DAG for each migration file: migrations/<file>.yaml becomes vod_backfill__<name> in Airflow.

A file with `reconcile` has a second one, vod_reconcile__<name>.

An invalid file gets no DAG and does not affect the others; vod_backfill_problems.py shows what is wrong with it.
"""

from vod_migrate.airflow.folder_dags import migration_dags

globals().update(migration_dags(__file__))
