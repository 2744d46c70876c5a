"""Two runs side by side."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.run_access import run_of_path
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import ViewerDep
from vod_migrate.report.browse.runs import runs_of_migration
from vod_migrate.report.loader import load_report
from vod_migrate.report.run_pair import run_pair

router = APIRouter()

_MOST_RUNS = 90

RunName = Annotated[str, Query(max_length=200)]


@router.get("/compare")
def compare(request: Request, viewer: ViewerDep, store: Results, run: RunName, other: RunName = "") -> HTMLResponse:
    """A run beside another one, by default the one before it."""
    chosen = run_of_path(run, viewer, store)
    report = load_report(store, run)
    beside = other or (report.previous.run_id if report.previous else "")
    pair = None
    if beside:
        run_of_path(beside, viewer, store)
        pair = run_pair(report, load_report(store, beside))
    runs = runs_of_migration(store, chosen.account, chosen.migration, readable=viewer.readable, most=_MOST_RUNS)
    return render(request, "compare.html", run=chosen, pair=pair, runs=runs.lines, chosen=(run, beside))
