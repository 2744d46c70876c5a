"""New runs that a page may order: what to send to Airflow's own API, which then decides, records and starts.

The browser sends them as the user who is signed in, so that permissions and audit are Airflow's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from airflow.models.dagrun import DagRun
from sqlalchemy import select

from vod_migrate.report.browse_runs import RunLine
from vod_migrate.report.model import Report
from vod_reports.security import Viewer

__all__ = ["Order", "Orders", "orders"]

_ROWS = "row_"  # only the manifest can mend a broken row
_GOES_ON = ("paused", "stopped", "interrupted", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Order:
    """The body of a POST to `/api/v2/dags/{dag_id}/dagRuns`."""

    dag_id: str
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What may be ordered from this page; None where there is nothing to do, or the viewer may not.

    groups: by code, to send again what failed with it.
    """

    rerun: Order | None
    groups: dict[str, Order]
    resume: Order | None


def orders(run: RunLine, report: Report, viewer: Viewer, session: Any) -> Orders:
    """For a run that has ended and whose DAG is its migration's own; the options of a group are its own DAG's business."""
    if report.run.running or run.dag_id is None or run.task_group or not viewer.may_trigger(run.dag_id):
        return Orders(rerun=None, groups={}, resume=None)
    failed = {
        group.code: _order(run.dag_id, {"mode": "failed", "codes": [group.code]})
        for group in report.failures
        if not group.code.startswith(_ROWS)
    }
    waiting = report.counts.pending + report.counts.unknown
    goes_on = report.run.state in _GOES_ON and waiting
    return Orders(
        rerun=_order(run.dag_id, {"mode": "failed"}) if report.counts.failed else None,
        groups=failed,
        resume=_order(run.dag_id, {"mode": run.mode}, **_interval(run, session)) if goes_on else None,
    )


def _order(dag_id: str, conf: dict[str, Any], **more: Any) -> Order:
    return Order(dag_id=dag_id, body={"logical_date": None, "conf": conf, **more})


def _interval(run: RunLine, session: Any) -> dict[str, Any]:
    """The data interval of the run that is to go on, so that dated prefixes are the same ones."""
    query = select(DagRun.data_interval_start, DagRun.data_interval_end)
    row = session.execute(query.where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.dag_run_id)).first()
    if row is None or row[0] is None or row[1] is None:
        return {}
    # Airflow takes an interval only with a logical date, which no other run of the DAG may have.
    return {
        "logical_date": dt.datetime.now(dt.UTC).isoformat(),
        "data_interval_start": row[0].isoformat(),
        "data_interval_end": row[1].isoformat(),
    }
