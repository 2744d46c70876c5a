"""Shows migration files that cannot be used as an import error in Airflow. There is no DAG in here.

It is a file of its own because an import error takes every DAG of its file with it.
"""

from vod_migrate.airflow.folder_dags import check_migrations

check_migrations(__file__)
