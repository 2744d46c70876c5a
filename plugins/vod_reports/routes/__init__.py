"""The routes, one module for each page; `app` includes every router of ROUTERS."""

from __future__ import annotations

from fastapi import APIRouter

from vod_reports.routes import actions, dags, downloads, migrations, objects, runs, static

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = (
    static.router,
    dags.router,
    runs.router,
    actions.router,
    downloads.router,
    migrations.router,
    objects.router,
)
