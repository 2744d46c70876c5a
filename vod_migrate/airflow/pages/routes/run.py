"""One run: the tab on its DAG run, the page by its own id, and the part of both that is live."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from vod_migrate.airflow.pages.locale import Locale, ReadingDep
from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.routes.diagnosis import FOUND, MOST_EXAMINED
from vod_migrate.airflow.pages.run_access import NO_SUCH_RUN, ReadableRun
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.triggers import orders
from vod_migrate.airflow.pages.viewer import Viewer, ViewerDep
from vod_migrate.report.browse.runs import RunLine, runs_of_dag_run
from vod_migrate.report.forecast import forecast
from vod_migrate.report.loader import load_report
from vod_migrate.report.page import report_facts
from vod_migrate.report.table_formats import parquet_installed
from vod_migrate.results.store import Store

router = APIRouter()

_LIVE_SECONDS = 2


@router.get("/dags/{dag_id}/runs/{dag_run_id}")
def dag_run_tab(
    request: Request,
    dag_id: str,
    dag_run_id: str,
    viewer: ViewerDep,
    reading: ReadingDep,
    store: Results,
    run: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """The report of a DAG run; `run` picks one where it holds several."""
    if not viewer.may_read(dag_id):
        raise HTTPException(404, NO_SUCH_RUN)
    found = runs_of_dag_run(store, dag_id, dag_run_id, readable=frozenset({dag_id}))
    if not found:
        return render(request, "no-run.html", status_code=404)
    chosen = next((one for one in found if one.run_id == run), found[0])
    return render(request, "run.html", found=found, in_tab=True, **_facts(store, chosen, viewer, reading))


@router.get("/runs/{run_id}")
def run_page(
    request: Request, run: ReadableRun, viewer: ViewerDep, reading: ReadingDep, store: Results
) -> HTMLResponse:
    """The same report by the run's own id, also for a run from the command line."""
    return render(request, "run.html", found=(run,), in_tab=False, **_facts(store, run, viewer, reading))


@router.get("/runs/{run_id}/live")
def run_live(
    request: Request, run: ReadableRun, viewer: ViewerDep, reading: ReadingDep, store: Results
) -> HTMLResponse:
    """What changes while a run is at work; the page asks for it every few seconds."""
    return render(request, "run-live.html", **_facts(store, run, viewer, reading))


def _facts(store: Store, run: RunLine, viewer: Viewer, reading: Locale) -> dict[str, Any]:
    report = load_report(store, run.run_id)
    may_stop = viewer.may_stop(run.dag_id)
    waiting = report.counts.pending + report.counts.unknown
    # As the report says: since `run` was read, it may have ended.
    ended = not report.run.running and report.run.state != "planned"
    # A later run may have taken over what this one left.
    left = store.rest(store.run(run.run_id))[0] if waiting and ended else 0
    return {
        **report_facts(report, language=reading.language, zone=reading.zone),
        "run": run,
        "forecast": forecast(report),
        "orders": orders(run, report, viewer, left=left),
        "left": left,
        "may_examine": ended and viewer.may_trigger(run.dag_id),
        "most_examined": MOST_EXAMINED,
        "found_event": FOUND,
        "may_discard": may_stop and left > 0,
        "parquet": parquet_installed(),
        "may_stop": may_stop,
        "live_seconds": _LIVE_SECONDS,
    }
