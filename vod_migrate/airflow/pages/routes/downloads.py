"""The tables of a run and its report as files."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Response

from vod_migrate.airflow.pages.download import streamed
from vod_migrate.airflow.pages.locale import ReadingDep
from vod_migrate.airflow.pages.run_access import ReadableRun
from vod_migrate.airflow.pages.store import Results
from vod_migrate.report.downloads import attachment, failures_csv, mapping_csv, mapping_parquet
from vod_migrate.report.html import render_html
from vod_migrate.report.loader import load_report
from vod_migrate.report.table_formats import parquet_installed

router = APIRouter()

_CSV = "text/csv; charset=utf-8"
_PARQUET = "application/vnd.apache.parquet"


@router.get("/runs/{run_id}/failures.csv")
def failures(run: ReadableRun, store: Results) -> Response:
    """Every failed object of the run, explained."""
    return streamed(failures_csv(store, run.run_id), disposition=attachment(run.run_id, "failures.csv"), kind=_CSV)


@router.get("/runs/{run_id}/mapping.csv")
def mapping(run: ReadableRun, store: Results) -> Response:
    """Object → MediaId of what the run registered or found registered."""
    return streamed(mapping_csv(store, run.run_id), disposition=attachment(run.run_id, "mapping.csv"), kind=_CSV)


@router.get("/runs/{run_id}/mapping.parquet")
def mapping_as_parquet(run: ReadableRun, store: Results) -> Response:
    """The same for programs."""
    if not parquet_installed():
        raise HTTPException(404, "Parquet needs pyarrow on Airflow's API server: pip install 'vod-migrate[parquet]'")
    rows = mapping_parquet(store, run.run_id)
    return streamed(rows, disposition=attachment(run.run_id, "mapping.parquet"), kind=_PARQUET)


@router.get("/runs/{run_id}/report.html")
def whole_report(run: ReadableRun, reading: ReadingDep, store: Results) -> Response:
    """The report as one file that can be mailed, in the reader's language and time zone."""
    page = render_html(load_report(store, run.run_id), language=reading.language, zone=reading.zone)
    named = {"content-disposition": attachment(run.run_id, "html")}
    return Response(page, media_type="text/html; charset=utf-8", headers=named)
