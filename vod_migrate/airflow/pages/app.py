"""The FastAPI app that Airflow mounts: routers, errors as pages, the headers of every answer."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.types import ASGIApp

from vod_migrate.airflow.pages.error_pages import add_error_pages
from vod_migrate.airflow.pages.headers import SecurityHeaders
from vod_migrate.airflow.pages.routes import (
    compare,
    control,
    dag,
    diagnosis,
    downloads,
    migrations,
    objects,
    run,
    static,
)
from vod_migrate.airflow.pages.viewer import viewer_of

_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNUSABLE = frozenset({"Cc", "Cs"})
"""Control characters, and halves of characters."""


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        # Outside of everything: `add_middleware` would leave out the answer to an error that no route expects.
        return SecurityHeaders(super().build_middleware_stack())


def create_app() -> FastAPI:
    """The app. It has no schema and no docs routes, and none that anybody may see without Airflow knowing who it is."""
    app = _App(
        title="VOD reports",
        dependencies=[Depends(viewer_of), Depends(plain_fields)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    add_error_pages(app)
    for page in (static, dag, run, compare, control, diagnosis, downloads, migrations, objects):
        app.include_router(page.router)
    return app


async def plain_fields(request: Request) -> None:
    """Refuses a field with a control character, whatever route it is for: a database or a log would not keep it.

    Raises:
        HTTPException: 400, which names the field.
    """
    if request.method not in _CHANGES:
        return
    async with request.form() as form:
        fields: Iterator[tuple[str, object]] = iter(
            (*request.path_params.items(), *request.query_params.multi_items(), *form.multi_items())
        )
        for name, value in fields:
            for what, text in ((f"field {name!a}", str(value)), ("name of a field", name)):
                if any(unicodedata.category(character) in _UNUSABLE for character in text):
                    raise HTTPException(400, f"the {what} has a control character in it")
