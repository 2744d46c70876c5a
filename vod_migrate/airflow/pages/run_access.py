"""One run, for whoever may read it; for anybody else it does not exist."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException

from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import Acting, ViewerDep
from vod_migrate.report.browse.runs import RunLine, readable_run

NO_SUCH_RUN = "there is no such run, or you may not read it"


def run_of_path(run_id: str, viewer: ViewerDep, store: Results) -> RunLine:
    """The run of the path."""
    found = readable_run(store, run_id, readable=viewer.readable)
    if found is None or not viewer.may_read(found.dag_id):
        raise HTTPException(404, NO_SUCH_RUN)
    return found


ReadableRun = Annotated[RunLine, Depends(run_of_path)]


def stoppable_run(run: ReadableRun, viewer: Acting) -> RunLine:
    """The run of the path, for whoever may change its state in Airflow, asked for by a page of their own."""
    if not viewer.may_stop(run.dag_id):
        raise HTTPException(403, "pausing and cancelling need the permission to edit runs of this DAG")
    return run


def repeatable_run(run: ReadableRun, viewer: Acting) -> RunLine:
    """The run of the path, for whoever may start runs of its DAG, asked for by a page of their own."""
    if not viewer.may_trigger(run.dag_id):
        raise HTTPException(403, "examining failures needs the permission to create runs of this DAG")
    return run


RepeatableRun = Annotated[RunLine, Depends(repeatable_run)]
StoppableRun = Annotated[RunLine, Depends(stoppable_run)]
