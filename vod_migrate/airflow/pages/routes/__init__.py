"""The routes, one module for each page; `app` includes every router of ROUTERS."""

from __future__ import annotations

from fastapi import APIRouter

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

ROUTERS: tuple[APIRouter, ...] = (
    static.router,
    dag.router,
    run.router,
    compare.router,
    control.router,
    diagnosis.router,
    downloads.router,
    migrations.router,
    objects.router,
)
