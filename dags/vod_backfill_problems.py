"""Shows migration files that cannot be used as an import error in Airflow. There is no DAG in here.

It is a file of its own because an import error takes every DAG of its file with it.
"""

from __future__ import annotations

from pathlib import Path

from vod_migrate.airflow.migration_folder import read_folder
from vod_migrate.errors import BadMigrationFile

FOLDER = Path(__file__).parent / "migrations"

if problems := read_folder(FOLDER).problems:
    raise BadMigrationFile("dags/migrations", list(problems))
