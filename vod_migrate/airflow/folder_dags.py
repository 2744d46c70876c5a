"""What the DAG files of a DAG folder hold: one DAG for each migration file of the folder `migrations` beside them."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from vod_migrate.airflow.dag import migration_dag
from vod_migrate.airflow.migration_folder import FOLDER_NAME, read_folder
from vod_migrate.airflow.reconciliation import reconcile_dag
from vod_migrate.errors import BadMigrationFile


def migration_dags(dag_file: str) -> dict[str, DAG]:
    """The DAGs by ID. A file with `reconcile` has a second one; an invalid file has none and does not affect the others.

    Where Airflow reads the file to start a task, only the DAGs of that task's migration: those of 100 files take 0.7 s of CPU.
    dag_file: `__file__` of the DAG file; the folder `migrations` is beside it.
    """
    dags: dict[str, DAG] = {}
    folder = Path(dag_file).parent / FOLDER_NAME
    wanted = get_parsing_context().dag_id
    for file in read_folder(folder).usable:
        if wanted is not None and wanted.partition("__")[2] != file.migration.name:
            continue
        origin = f"{folder.parent.name}/{FOLDER_NAME}/{file.path.name}"
        dags[file.migration.dag_id] = migration_dag(file.migration, origin)
        if (comparing := reconcile_dag(file.migration, origin)) is not None:
            dags[comparing.dag_id] = comparing
    return dags


def check_migrations(dag_file: str) -> None:
    """Shows migration files that cannot be used as an import error in Airflow: BadMigrationFile names each of them."""
    folder = Path(dag_file).parent / FOLDER_NAME
    if problems := read_folder(folder).problems:
        raise BadMigrationFile(f"{folder.parent.name}/{FOLDER_NAME}", list(problems))
