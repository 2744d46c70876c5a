"""What is shown when something does not exist, is not allowed or cannot be reached: a page that says what to do, never a stack trace."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from vod_migrate.airflow.pages.render import render, styles
from vod_migrate.airflow.pages.store import forget_results
from vod_migrate.errors import BadInput, BadOption, StoreError, StoreUnreachable, VodMigrateError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ErrorPage:
    """title, advice: texts of the catalogue; retry: whether the page tries again by itself."""

    title: str
    advice: str
    retry: bool = False


_BY_STATUS = {
    400: ErrorPage(title="Invalid request", advice="One of its fields contains a character that is not allowed."),
    401: ErrorPage(title="You are signed out", advice="Sign in to Airflow again, then come back."),
    403: ErrorPage(title="You do not have permission", advice="Ask an Airflow administrator for permission."),
    404: ErrorPage(title="Not found", advice="It does not exist, or you may not see it."),
    409: ErrorPage(title="The run has changed in the meantime", advice="Reload the page."),
    422: ErrorPage(title="Invalid address", advice="Part of the address is not valid."),
    429: ErrorPage(title="Too many requests at once", advice="Try again when one of them has finished."),
    502: ErrorPage(
        title="The objects could not be examined", advice="The command vod-migrate diagnose has no time limit."
    ),
}
_AWAY = ErrorPage(
    title="The results database does not respond",
    advice="Runs wait for it and lose nothing. This page retries automatically.",
    retry=True,
)
_UNUSABLE = ErrorPage(title="The results database is not ready", advice="An administrator must set it up.")
_OWN_FAULT = ErrorPage(title="This page failed", advice="See the log of Airflow's API server. Runs are not affected.")


def add_error_pages(app: FastAPI) -> None:
    """Every error of the app becomes a page, or for htmx and API callers a status with one sentence."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        trouble = _BY_STATUS.get(error.status_code, _OWN_FAULT)
        return _answer(request, trouble, error.status_code, str(error.detail or ""))

    @app.exception_handler(RequestValidationError)
    async def unreadable(request: Request, error: RequestValidationError) -> Response:
        named = ", ".join(sorted({str(one["loc"][-1]) for one in error.errors()}))
        return _answer(request, _BY_STATUS[422], 422, named)

    @app.exception_handler(VodMigrateError)
    async def explained(request: Request, error: VodMigrateError) -> Response:
        if isinstance(error, StoreUnreachable):
            await run_in_threadpool(forget_results)
            return _answer(request, _AWAY, 503, str(error))
        if isinstance(error, BadOption):
            return _answer(request, _BY_STATUS[404], 404, str(error))
        if isinstance(error, (StoreError, BadInput)):
            return _answer(request, _UNUSABLE, 503, str(error))
        return _answer(request, _OWN_FAULT, 500, str(error))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        _LOG.error("vod-reports: %s failed", request.url.path, exc_info=error)
        return _answer(request, _OWN_FAULT, 500, type(error).__name__)


def _answer(request: Request, trouble: ErrorPage, status: int, detail: str) -> Response:
    if "text/html" not in request.headers.get("accept", "") and "hx-request" not in request.headers:
        return JSONResponse({"detail": detail or trouble.title}, status_code=status)
    template = "trouble-part.html" if "hx-request" in request.headers else "trouble.html"
    return render(request, template, status_code=status, trouble=trouble, detail=detail, styles=styles())
