"""Reads a run from the results store into a report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiosql
import psycopg

from vod_migrate.errors import BadOption
from vod_migrate.migration.source import MEDIA_EXTENSIONS
from vod_migrate.report.headline import headline
from vod_migrate.report.model import (
    CallRates,
    Calls,
    FailureGroup,
    PreviousRun,
    Report,
    RunFacts,
    Sample,
    ScanFacts,
    Setting,
    left_out_groups,
)
from vod_migrate.report.rate_chart import DOCUMENTED_CALLS_PER_SECOND, bucket_width, rate_points
from vod_migrate.results.scan import SAMPLES, joined_samples
from vod_migrate.results.store import Store

QUERIES: Any = aiosql.from_path(Path(__file__).parent / "queries.sql", "psycopg", mandatory_parameters=False)

_MOST_CODES = 50
_TALLIED_SECONDS = 5  # the tally of calls is this fine; shorter stretches are counted from the calls themselves
_MOST_SCANS = 200  # dated prefixes of a year fit twice; the totals count all of them


def load_report(store: Store, run_id: str) -> Report:
    """Everything there is to say about a run, finished or not. The detail is read in one snapshot of the database.

    Raises:
        BadOption: there is no such run.
        StoreUnreachable
    """
    with store.connection() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        row = QUERIES.run_facts(connection, run_id=run_id)
        if row is None:
            raise BadOption(f"there is no run {run_id!r} in this results database: `vod-migrate status` lists the runs")
        run = _run(row)
        calls = _calls(connection, run_id)
        rates = _rates(connection, run, spec=row[6])
        groups = list(QUERIES.failure_groups(connection, run_id=run_id, most=_MOST_CODES))
        samples = _samples(connection, run_id, [code for code, _ in groups])
        scans = tuple(_scans(connection, run_id))
        left_samples: dict[str, list[str]] = {}
        for (kept,) in QUERIES.left_out_samples(connection, run_id=run_id):
            left_samples = joined_samples(left_samples, kept)
        prefixes, prefixes_failed = QUERIES.scan_totals(connection, run_id=run_id)
        # What a plan counts is no change of anything.
        before = None if run.state == "planned" else QUERIES.previous_run(connection, run_id=run_id)

    counts = store.counts(run_id)
    return Report(
        run=run,
        sentence=headline(run=run, counts=counts, prefixes=prefixes, prefixes_failed=prefixes_failed),
        counts=counts,
        calls=calls,
        rates=rates,
        failures=tuple(
            FailureGroup(code=code, count=count, samples=tuple(samples.get(code, ()))) for code, count in groups
        ),
        left_out=left_out_groups(counts.left_out, left_samples),
        scans=scans,
        prefixes=prefixes,
        prefixes_failed=prefixes_failed,
        previous=None if before is None else _previous(before, store),
    )


def _run(row: tuple[Any, ...]) -> RunFacts:
    spec: Mapping[str, Any] = row[6]
    started: dt.datetime = row[14]
    finished: dt.datetime | None = row[15]
    return RunFacts(
        run_id=row[0],
        account=row[1],
        migration=row[2],
        bucket=row[3],
        mode=row[4],
        options=tuple(_flat(row[5])),
        # Every format shows the name and the bucket at its top.
        settings=tuple(setting for setting in _flat(spec) if setting.name not in ("name", "source.bucket")),
        local_date=row[7],
        origin=row[8],
        dag_id=row[9],
        dag_run_id=row[10],
        state=row[11],
        stop_code=row[12],
        stop_message=row[13],
        started=started,
        finished=finished,
        seconds=max(0.0, ((finished or row[16]) - started).total_seconds()),
        timezone=str(spec.get("timezone") or "UTC"),
    )


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[Setting]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield Setting(name=above + name, value=_setting(value))


def _setting(value: object) -> str:
    if isinstance(value, list):
        if tuple(value) == MEDIA_EXTENSIONS:
            return f"all {len(value)} that VOD takes"
        return ", ".join(str(part) or "(the whole bucket)" for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _calls(connection: psycopg.Connection, run_id: str) -> Calls:
    rows = list(QUERIES.call_totals(connection, run_id=run_id))
    answers = {answer: int(count) for answer, count, _ in rows}
    return Calls(**answers, files=sum(int(files) for _, _, files in rows))


def _rates(connection: psycopg.Connection, run: RunFacts, *, spec: Mapping[str, Any]) -> CallRates:
    caps = [
        float(cap)
        for cap in (
            (spec.get("register") or {}).get("calls_per_second"),
            next((option.value for option in run.options if option.name == "calls_per_second"), None),
        )
        if cap is not None
    ]
    begin, end = QUERIES.call_span(connection, run_id=run.run_id)
    span = (end - begin).total_seconds() if begin else 0.0
    width = bucket_width(span)
    stretches = QUERIES.call_buckets if width < _TALLIED_SECONDS else QUERIES.call_stretches
    counted = stretches(connection, run_id=run.run_id, begin=begin, width=width) if begin else ()
    rate = QUERIES.account_rate(connection, account=run.account)
    return CallRates(
        begin=begin,
        width=width,
        points=rate_points(counted, width=width, span=span),
        account_rate=None if rate is None else float(rate),
        cap=min(caps, default=None),
        documented=DOCUMENTED_CALLS_PER_SECOND,
    )


def _samples(connection: psycopg.Connection, run_id: str, codes: list[str]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for code, key, message, request_id in QUERIES.failure_samples(connection, run_id=run_id, codes=codes, most=SAMPLES):
        found.setdefault(code, []).append(Sample(key=key, message=message or "", request_id=request_id or ""))
    return found


def _scans(connection: psycopg.Connection, run_id: str) -> Iterator[ScanFacts]:
    for prefix, state, pages, listed, error_code, error, seconds in QUERIES.scans_of_run(
        connection, run_id=run_id, most=_MOST_SCANS
    ):
        yield ScanFacts(
            prefix=prefix,
            state=state,
            pages=pages,
            listed=listed,
            error_code=error_code,
            error=error,
            seconds=seconds,
        )


def _previous(row: tuple[Any, ...], store: Store) -> PreviousRun:
    run_id, state, started, finished = row
    return PreviousRun(
        run_id=run_id,
        state=state,
        started=started,
        seconds=None if finished is None else (finished - started).total_seconds(),
        counts=store.counts(run_id),
    )
