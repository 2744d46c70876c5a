"""The asset of a migration: each run that succeeds is an event of it, which starts the DAGs that wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from airflow.sdk import Context

    from vod_migrate.run.conclusion import Conclusion


def asset_uri(connection: str, name: str) -> str:
    """The URI (and name) of a migration's asset, e.g. `vod://vod_default/interviews`."""
    return f"vod://{quote(connection, safe='')}/{name}"


def run_outlet(uri: str) -> AssetAlias:
    """The outlet of a report task. Airflow sends an event for an asset whenever its task is green, but for an alias only those it is given."""
    return AssetAlias(uri)


def send_event(context: Context, uri: str, end: Conclusion) -> None:
    """The event of a run that succeeded. Its extra: `run_id`, `state`, `counts`, and the `location` of the exported table, or null."""
    extra: dict[str, Any] = {
        "run_id": end.summary.run_id,
        "state": end.summary.state,
        "counts": end.summary.counts.as_json(),
        "location": None if end.export is None else end.export.location,
    }
    context["outlet_events"][run_outlet(uri)].add(Asset(uri), extra=extra)
