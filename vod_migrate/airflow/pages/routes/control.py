"""Pause and cancel a run. The browser triggers new runs through Airflow's API, with the user's permissions (see `triggers`)."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Response

from vod_migrate.airflow.pages.locale import ReadingDep
from vod_migrate.airflow.pages.run_access import StoppableRun
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import Acting
from vod_migrate.errors import BadOption
from vod_migrate.run import control

router = APIRouter()

MESSAGE_HEADER = "x-vod-said"
"""What the page tells its reader after an action, percent-encoded."""


@router.post("/runs/{run_id}/pause", status_code=202)
def pause(run: StoppableRun, viewer: Acting, reading: ReadingDep, store: Results) -> Response:
    """Ends a run for now, within five seconds."""
    try:
        control.pause(store, run.run_id, by=viewer.name)
    except BadOption as error:
        raise HTTPException(409, str(error)) from None
    return _said(reading.language.say("The run is being paused; it sends nothing more."))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(run: StoppableRun, viewer: Acting, reading: ReadingDep, store: Results) -> Response:
    """Ends a run for good, within five seconds."""
    try:
        control.cancel(store, run.run_id, by=viewer.name)
    except BadOption as error:
        raise HTTPException(409, str(error)) from None
    return _said(reading.language.say("The run is being cancelled; it sends nothing more."))


def _said(text: str) -> Response:
    return Response(status_code=202, headers={MESSAGE_HEADER: quote(text)})
