"""Every migration at a glance, with the quota they share; and one migration with its runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dag import DagModel
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.run_query import RunQueryDep
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import Viewer, ViewerDep
from vod_migrate.report.bar_chart import Bars, bars, quota_segments
from vod_migrate.report.browse.migrations import MigrationLine, migration_dags, migration_line, migrations_page
from vod_migrate.report.browse.objects import seen_migrations
from vod_migrate.report.browse.quota import LAST_SECONDS, quota_bars
from vod_migrate.report.browse.runs import runs_of_migration
from vod_migrate.results.store import Store

router = APIRouter()

_LIVE_SECONDS = 5
_LONGEST_NAME = 200
_CHART_SIZES = (30, 60, 90)

Name = Annotated[str, Query(max_length=_LONGEST_NAME)]


@router.get("/migrations")
def all_migrations(
    request: Request,
    viewer: ViewerDep,
    store: Results,
    session: SessionDep,
    after: Name = "",
    after_account: Name = "",
    q: Name = "",
) -> HTMLResponse:
    """Migrations by name, those whose name contains `q`; `after` and `after_account` are where an earlier page ended."""
    page = migrations_page(
        store, readable=viewer.readable, named=q.strip(), after=(after, after_account) if after else None
    )
    return render(
        request,
        "migrations.html",
        page=page,
        first=not after,
        named=q.strip(),
        trends={line: _night_bars(line) for line in page.lines},
        next_runs=_next_runs(page.lines, session),
        quotas=[(bar, quota_segments(bar)) for bar in quota_bars(store, readable=viewer.readable)],
        quota_seconds=LAST_SECONDS,
        live_seconds=_LIVE_SECONDS,
        running=any(line.last and line.last.state == "running" for line in page.lines),
        accounts={line.account for line in page.lines},
    )


@router.get("/migration")
def one_migration(
    request: Request,
    viewer: ViewerDep,
    store: Results,
    session: SessionDep,
    name: Name,
    account: Name,
    chosen: RunQueryDep,
    runs: Annotated[int, Query(ge=2, le=_CHART_SIZES[-1])] = _CHART_SIZES[0],
) -> HTMLResponse:
    """A migration's objects in numbers, its last `runs` runs as a chart, and all of them as a table, whichever DAG they belong to."""
    line = migration_line(store, account, name, readable=viewer.readable)
    if line is None:
        raise HTTPException(404, "there is no such migration, or you may not see it")
    page = runs_of_migration(store, account, name, readable=viewer.readable, wanted=chosen.wanted())
    charted = runs_of_migration(store, account, name, readable=viewer.readable, most=runs).lines[::-1]
    return render(
        request,
        "migration.html",
        line=line,
        heirs=_heirs(store, viewer, line),
        charted=charted,
        shapes={
            "outcomes": bars([(run.done, run.failed) for run in charted]),
            "calls": bars([(run.calls or 0, 0) for run in charted]),
            "seconds": bars([(run.seconds or 0, 0) for run in charted]),
        },
        chart_runs=runs,
        chart_sizes=_CHART_SIZES,
        next_run=_next_runs([line], session).get(line),
        runs=page,
        chosen=chosen,
        running=chosen.first and any(run.running for run in page.lines),
        live_seconds=_LIVE_SECONDS,
    )


def _next_runs(lines: Sequence[MigrationLine], session: Any) -> dict[MigrationLine, dt.datetime | str]:
    """When the scheduler will begin the next run of each: the earliest of its DAGs; `paused` where none of them is on."""
    dag_ids = sorted({dag_id for line in lines for dag_id in line.dag_ids})
    query = select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
    rows = session.execute(query.where(DagModel.dag_id.in_(dag_ids), ~DagModel.is_stale)).all() if dag_ids else ()
    known = {dag_id: "paused" if paused else following for dag_id, paused, following in rows}
    found: dict[MigrationLine, dt.datetime | str] = {}
    for line in lines:
        told = [known[dag_id] for dag_id in line.dag_ids if known.get(dag_id) is not None]
        times = [one for one in told if one != "paused"]
        if told:
            found[line] = min(times, default="paused")
    return found


def _heirs(store: Store, viewer: Viewer, line: MigrationLine) -> list[str]:
    """The migrations to which the objects of this one may be transferred; the transfer itself asks whether the viewer may change them."""
    if not viewer.may_change(migration_dags(store, line.account, line.migration)):
        return []
    return [
        migration
        for account, migration in seen_migrations(store, readable=viewer.readable)
        if account == line.account and migration != line.migration
    ]


def _night_bars(line: MigrationLine) -> Bars | None:
    return bars([(night.registered, night.failed) for night in line.nights])
