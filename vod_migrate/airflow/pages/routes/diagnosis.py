"""Find out why files failed, while somebody waits: a look at some objects of one code. A shell and the end of a run look at more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from vod_migrate.airflow.hook import VodHook
from vod_migrate.airflow.pages.locale import ReadingDep
from vod_migrate.airflow.pages.routes.control import said
from vod_migrate.airflow.pages.run_access import RepeatableRun
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import ViewerDep
from vod_migrate.errors import BadSetting, Interrupted, RegisterError, SourceError

_LOG = logging.getLogger(__name__)

MOST_EXAMINED = 200
SECONDS = 12.0
"""A part of 20 objects that has begun is finished, if OSS and VOD answer within LONGEST_SECONDS."""
LONGEST_SECONDS = 20.0

FOUND = "vod-found"
"""The event on which a page of a run reads its live part again."""

router = APIRouter()
_one = threading.Lock()


@router.post("/runs/{run_id}/diagnose", status_code=202)
def diagnose(
    run: RepeatableRun,
    viewer: ViewerDep,
    reading: ReadingDep,
    store: Results,
    code: Annotated[str, Query(max_length=200)],
) -> Response:
    """Examines up to MOST_EXAMINED objects that failed with a code and were not examined yet; one reader at a time."""
    from vod_migrate.audit.diagnosis import Examiner, codes_without_reason  # noqa: PLC0415 - the SDKs, for this route only

    examined = store.run(run.run_id)
    if code not in codes_without_reason(store, examined):
        raise HTTPException(
            409, f"run {run.run_id} has no failures with the code {code!r}, or the code already gives the reason"
        )
    if not _one.acquire(blocking=False):
        raise HTTPException(429, "the failures of a run are already being examined from this Airflow")
    try:
        with _hurried() as stop:
            connection = VodHook(examined.spec.connection).connection
            done = Examiner(store, connection, examined, stop=stop).sample([code], most=MOST_EXAMINED, seconds=SECONDS)
    except Interrupted:
        raise HTTPException(
            502, f"OSS or VOD took longer than {LONGEST_SECONDS:.0f} s; what was found is kept"
        ) from None
    except (SourceError, RegisterError, BadSetting) as error:
        raise HTTPException(502, str(error)) from None
    finally:
        _one.release()
    _LOG.info("%s had %d failures of run %s examined", viewer.name, done.objects, run.run_id)
    answer = said(
        reading.language.say("Examined: {objects}. Causes found: {named}.", objects=done.objects, named=done.named)
    )
    answer.headers["hx-trigger"] = FOUND
    return answer


@contextmanager
def _hurried() -> Iterator[threading.Event]:
    """An event that is set when somebody has waited long enough."""
    stop = threading.Event()
    timer = threading.Timer(LONGEST_SECONDS, stop.set)
    timer.start()
    try:
        yield stop
    finally:
        timer.cancel()
