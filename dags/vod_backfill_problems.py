"""Shows invalid migration files as an import error in Airflow. It defines no DAG.

It is a separate file because an import error removes every DAG of its file.
"""

from vod_migrate.airflow.folder_dags import check_migrations

check_migrations(__file__)
