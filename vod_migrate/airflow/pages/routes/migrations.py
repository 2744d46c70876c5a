"""Every migration at a glance, with the quota they share; and one migration with its runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.models.dag import DagModel
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from vod_migrate.airflow.pages.render import render
from vod_migrate.airflow.pages.store import Results
from vod_migrate.airflow.pages.viewer import ViewerDep
from vod_migrate.report.browse.migrations import MigrationLine, Night, migration_line, migrations_page
from vod_migrate.report.browse.quota import LAST_SECONDS, QuotaBar, quota_bars
from vod_migrate.report.browse.runs import runs_of_migration

router = APIRouter()

_LIVE_SECONDS = 5
_LONGEST_NAME = 200

Name = Annotated[str, Query(max_length=_LONGEST_NAME)]


@dataclass(frozen=True, kw_only=True)
class BarSegment:
    """A stretch of the quota's bar, in per cent of its length; kind: a class of the style sheet."""

    kind: str
    at: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Nights as bars, 8 wide, in a box 48 high: two SVG paths, since a page shows forty times thirty of them."""

    nights: tuple[Night, ...]
    registered: str
    failed: str


@router.get("/migrations")
def all_migrations(
    request: Request,
    viewer: ViewerDep,
    store: Results,
    session: SessionDep,
    after: Name = "",
    after_account: Name = "",
) -> HTMLResponse:
    """Migrations by name; `after` and `after_account` are where an earlier page ended."""
    page = migrations_page(store, readable=viewer.readable, after=(after, after_account) if after else None)
    bars = quota_bars(store, readable=viewer.readable)
    return render(
        request,
        "migrations.html",
        viewer=viewer,
        page=page,
        first=not after,
        trends={line: _trend(line.nights) for line in page.lines},
        next_runs=_next_runs(page.lines, session),
        quotas=[(bar, _parts(bar)) for bar in bars],
        quota_seconds=LAST_SECONDS,
        live_seconds=_LIVE_SECONDS,
        running=any(line.last and line.last.state == "running" for line in page.lines),
        accounts={line.account for line in page.lines},
    )


@router.get("/migration")
def one_migration(
    request: Request,
    viewer: ViewerDep,
    store: Results,
    session: SessionDep,
    name: Name,
    account: Name,
    before: dt.datetime | None = None,
    before_run: Name = "",
) -> HTMLResponse:
    """A migration's objects in numbers, its nights, and its runs, whichever DAG they belong to."""
    line = migration_line(store, account, name, readable=viewer.readable)
    if line is None:
        raise HTTPException(404, "there is no such migration, or you may not see it")
    place = None if before is None or before.tzinfo is None else (before, before_run)
    runs = runs_of_migration(store, account, name, readable=viewer.readable, before=place)
    return render(
        request,
        "migration.html",
        viewer=viewer,
        line=line,
        trend=_trend(line.nights),
        next_run=_next_runs([line], session).get(line),
        runs=runs,
        newest=place is None,
        running=place is None and any(run.running for run in runs.lines),
        live_seconds=_LIVE_SECONDS,
    )


def _next_runs(lines: Sequence[MigrationLine], session: Any) -> dict[MigrationLine, dt.datetime | str]:
    """When the scheduler will begin the next run of each: the earliest of its DAGs; `paused` where none of them is on."""
    dag_ids = sorted({dag_id for line in lines for dag_id in line.dag_ids})
    query = select(DagModel.dag_id, DagModel.is_paused, DagModel.next_dagrun_create_after)
    rows = session.execute(query.where(DagModel.dag_id.in_(dag_ids), ~DagModel.is_stale)).all() if dag_ids else ()
    known = {dag_id: "paused" if paused else following for dag_id, paused, following in rows}
    found: dict[MigrationLine, dt.datetime | str] = {}
    for line in lines:
        told = [known[dag_id] for dag_id in line.dag_ids if known.get(dag_id) is not None]
        times = [one for one in told if one != "paused"]
        if told:
            found[line] = min(times, default="paused")
    return found


def _trend(nights: Iterable[Night]) -> Trend | None:
    nights = tuple(nights)
    highest = max((night.registered + night.failed for night in nights), default=0)
    if not highest:
        return None
    done = [48 * night.registered / highest for night in nights]
    failed = [48 * night.failed / highest for night in nights]
    return Trend(
        nights=nights,
        registered=_bars((48.0, height) for height in done),
        failed=_bars((48 - below, height) for below, height in zip(done, failed, strict=True)),
    )


def _bars(bars: Iterable[tuple[float, float]]) -> str:
    """(bottom, height) of each bar → the path of them all."""
    return "".join(
        f"M{8 * number + 1} {bottom:.1f}v{-height:.1f}h6v{height:.1f}z"
        for number, (bottom, height) in enumerate(bars)
        if height
    )


def _parts(bar: QuotaBar) -> list[BarSegment]:
    """The bar from left to right: each run at work, what is free, what slowing down has taken, what is left to others."""
    whole = max(bar.documented, bar.rate, bar.used)
    lengths = [(f"user u{number % 6}", user.calls_per_second) for number, user in enumerate(bar.users)]
    lengths += [
        ("free", bar.free),
        ("slowed", max(0.0, bar.rate - max(bar.used, bar.in_force))),
        ("reserve", bar.reserve),
    ]
    parts, at = [], 0.0
    for kind, length in lengths:
        width = min(100 * length / whole, 100 - at)
        if width > 0:
            parts.append(BarSegment(kind=kind, at=at, width=width))
        at += width
    return parts
