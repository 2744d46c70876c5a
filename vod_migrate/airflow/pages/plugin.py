"""The pages of vod-migrate as an Airflow plugin, under `/vod-reports`; found by the entry point `airflow.plugins`."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from vod_migrate.airflow.pages.app import create_app
from vod_migrate.airflow.provider import ICON

_PREFIX = "vod-reports"


class VodReports(AirflowPlugin):
    """A tab on each DAG run, a tab on each DAG, and one entry in the navigation."""

    name = "vod_reports"
    fastapi_apps: list[Any] = [{"app": create_app(), "url_prefix": f"/{_PREFIX}", "name": "VOD reports"}]  # noqa: RUF012 - as AirflowPlugin declares it
    # Without a leading slash, so that an Airflow behind a path of its own finds them too.
    external_views: list[Any] = [  # noqa: RUF012 - as AirflowPlugin declares it
        {
            "name": "VOD report",
            "icon": ICON,
            "href": f"{_PREFIX}/dags/{{DAG_ID}}/runs/{{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "vod-report",
        },
        {
            "name": "VOD runs",
            "icon": ICON,
            "href": f"{_PREFIX}/dags/{{DAG_ID}}",
            "destination": "dag",
            "url_route": "vod-runs",
        },
        {
            "name": "VOD migrations",
            "icon": ICON,
            "href": f"{_PREFIX}/migrations",
            "destination": "nav",
            "url_route": "vod-migrations",
            "category": "browse",
        },
    ]
