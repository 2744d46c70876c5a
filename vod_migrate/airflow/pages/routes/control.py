"""Pause, cancel and discard runs, transfer objects, and check what a new run would change. The browser triggers new runs through Airflow's API, with the user's permissions (see `triggers`)."""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Query, Response
from pydantic import Field

from vod_migrate.airflow.pages.locale import ReadingDep
from vod_migrate.airflow.pages.run_access import ReadableRun, StoppableRun
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import Acting, ViewerDep
from vod_migrate.errors import BadOption
from vod_migrate.migration.changed_settings import with_settings
from vod_migrate.report.browse.migrations import migration_dags
from vod_migrate.run import control

_LOG = logging.getLogger(__name__)

router = APIRouter()

Name = Annotated[str, Query(max_length=200)]
Settings = Annotated[list[Annotated[str, Field(max_length=4_000)]], Query(max_length=50)]

MESSAGE_HEADER = "x-vod-said"
"""What the page tells its reader after an action, percent-encoded."""


@router.post("/runs/{run_id}/pause", status_code=202)
def pause(run: StoppableRun, viewer: Acting, reading: ReadingDep, store: Results) -> Response:
    """Ends a run for now, within five seconds."""
    try:
        control.pause(store, run.run_id, by=viewer.name)
    except BadOption as error:
        raise HTTPException(409, str(error)) from None
    return said(reading.language.say("The run is being paused; it sends nothing more."))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(run: StoppableRun, viewer: Acting, reading: ReadingDep, store: Results) -> Response:
    """Ends a run for good, within five seconds."""
    try:
        control.cancel(store, run.run_id, by=viewer.name)
    except BadOption as error:
        raise HTTPException(409, str(error)) from None
    return said(reading.language.say("The run is being cancelled; it sends nothing more."))


@router.post("/runs/{run_id}/discard", status_code=202)
def discard(run: StoppableRun, viewer: Acting, reading: ReadingDep, store: Results) -> Response:
    """Gives up what a run that has ended left unsent."""
    count = control.discard(store, store.run(run.run_id), by=viewer.name)
    if count is None:
        raise HTTPException(409, f"run {run.run_id} is active, or its remaining objects were already discarded")
    _LOG.info("%s discarded %d objects of run %s", viewer.name, count, run.run_id)
    return said(reading.language.count(count, "{n} object was discarded.", "{n} objects were discarded."))


@router.get("/runs/{run_id}/settings", status_code=204)
def check_settings(run: ReadableRun, viewer: ViewerDep, store: Results, setting: Settings) -> Response:
    """Whether the migration of a run could be sent with some settings changed, before a run fails for a typing mistake."""
    if not viewer.may_trigger(run.dag_id):
        raise HTTPException(403, "changing settings needs the permission to create runs of this DAG")
    try:
        with_settings(store.run(run.run_id).spec, setting)
    except BadOption as error:
        raise HTTPException(422, str(error)) from None
    return Response(status_code=204)


@router.post("/transfer", status_code=202)
def transfer(
    viewer: Acting, reading: ReadingDep, store: Results, account: Name, old: Name, new: Annotated[str, Form()] = ""
) -> Response:
    """Hands the objects of one migration over to another; needs the permission for the DAGs of both."""
    for name in (old, new):
        if not viewer.may_change(migration_dags(store, account, name)):
            raise HTTPException(403, "transferring needs the permission to edit runs of the DAGs of both migrations")
    try:
        count = control.transfer(store, account, old, new, by=viewer.name)
    except BadOption as error:
        raise HTTPException(409, str(error)) from None
    _LOG.info("%s transferred %d objects of %r to %r", viewer.name, count, old, new)
    return said(reading.language.count(count, "{n} object was transferred.", "{n} objects were transferred."))


def said(text: str) -> Response:
    """An answer that is only a message."""
    return Response(status_code=202, headers={MESSAGE_HEADER: quote(text)})
