"""The tab on a DAG: its runs, the newest first."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.run_query import RunQueryDep
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import ViewerDep
from vod_migrate.report.bar_chart import bars
from vod_migrate.report.browse.runs import runs_of_dag

router = APIRouter()

_TREND_RUNS = 30


@router.get("/dags/{dag_id}")
def dag_tab(
    request: Request,
    dag_id: str,
    viewer: ViewerDep,
    store: Results,
    chosen: RunQueryDep,
) -> HTMLResponse:
    """Runs of a DAG."""
    if not viewer.may_read(dag_id):
        raise HTTPException(404, "there is no such DAG, or you may not read it")
    page = runs_of_dag(store, dag_id, readable=frozenset({dag_id}), wanted=chosen.wanted())
    last = page.lines[:_TREND_RUNS][::-1] if chosen.plain else ()
    return render(
        request,
        "dag.html",
        dag_id=dag_id,
        page=page,
        last=last,
        trend=bars([(line.done, line.failed) for line in last]),
        chosen=chosen,
        running=chosen.first and any(line.running for line in page.lines),
    )
