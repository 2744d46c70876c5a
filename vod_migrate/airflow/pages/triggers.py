"""New runs that a page may trigger, as requests to Airflow's own API.

The browser triggers the run through Airflow's API with the user's permissions, so that permissions and audit are Airflow's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from vod_migrate.airflow.pages.viewer import Viewer
from vod_migrate.report.browse.runs import RunLine
from vod_migrate.report.model import Report

_ROWS = "row_"  # only the manifest can mend a broken row
_ENCODING = "url_encoding"  # the cause that a changed setting mends
_RESUMABLE = ("paused", "stopped", "interrupted")


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A run to trigger: the body of a POST to `/api/v2/dags/{dag_id}/dagRuns`. change: the changed setting that is proposed."""

    dag_id: str
    body: dict[str, Any]
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Triggers:
    """What this page may trigger; None where there is nothing to do, or the viewer may not.

    groups: by name, to send again what failed so.
    """

    rerun: Trigger | None = None
    resume: Trigger | None = None
    groups: dict[str, Trigger]


def orders(run: RunLine, report: Report, viewer: Viewer, *, left: int) -> Triggers:
    """For a run that has ended and whose DAG is its migration's own; a task group's options are its DAG's business. left: unsent objects."""
    dag_id = run.dag_id
    if report.run.running or dag_id is None or run.task_group or not viewer.may_trigger(dag_id):
        return Triggers(groups={})
    return Triggers(
        rerun=_order(dag_id, mode="failed") if report.counts.failed else None,
        resume=_order(dag_id, resume=run.run_id) if report.run.state in _RESUMABLE and left else None,
        groups={
            group.name: replace(
                _order(dag_id, mode="failed", codes=[group.name]),
                change=_proposed(report) if group.cause == _ENCODING else "",
            )
            for group in report.failures
            if not group.code.startswith(_ROWS)
        },
    )


def _proposed(report: Report) -> str:
    used = next((one.value for one in report.run.settings if one.name == "register.url_encoding"), "percent")
    return f"register.url_encoding={'percent' if used == 'raw' else 'raw'}"


def _order(dag_id: str, **conf: Any) -> Trigger:
    return Trigger(dag_id=dag_id, body={"logical_date": None, "conf": conf})
