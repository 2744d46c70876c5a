"""The pages of vod-migrate, for an Airflow that loads plugins from this folder; the code is in `vod_migrate.airflow.pages`.

The installed package registers the same plugin by its entry point `airflow.plugins`; Airflow skips the second of one name.
"""

from vod_migrate.airflow.pages.plugin import VodReports

__all__ = ["VodReports"]
