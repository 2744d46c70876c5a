"""The pages of vod-migrate, for an Airflow that has the package on its path but not installed.

An installed package brings them by its entry point `airflow.plugins`; Airflow would report the second of one name as an error.
"""

from importlib.metadata import entry_points

if not entry_points(group="airflow.plugins", name="vod_migrate_pages"):
    from vod_migrate.airflow.pages.plugin import VodReports

    __all__ = ["VodReports"]
