"""The FastAPI app that Airflow mounts: routers, errors as pages, the headers of every answer."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp

from vod_migrate.airflow.pages.error_pages import add_error_pages
from vod_migrate.airflow.pages.headers import SecurityHeaders
from vod_migrate.airflow.pages.plain_fields import plain_fields
from vod_migrate.airflow.pages.routes import ROUTERS
from vod_migrate.airflow.pages.viewer import viewer_of


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
    for router in ROUTERS:
        app.include_router(router)
    return app
