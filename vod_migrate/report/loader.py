"""Reads a run from the results store into a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiosql

from vod_migrate.errors import BadOption
from vod_migrate.migration.source import MEDIA_EXTENSIONS
from vod_migrate.report.headline import headline_of
from vod_migrate.report.model import (
    Action,
    CallRates,
    Calls,
    ExportFacts,
    FailureGroup,
    PreviousRun,
    RelatedRun,
    Report,
    RunFacts,
    Sample,
    ScanFacts,
    Setting,
    by_reason,
)
from vod_migrate.report.rate_chart import DOCUMENTED_CALLS_PER_SECOND, bucket_width, rate_points
from vod_migrate.results.notes import Notes
from vod_migrate.results.scan import SAMPLES, joined_samples
from vod_migrate.results.session import StoreConnection
from vod_migrate.results.store import Store
from vod_migrate.results.verifications import VerificationRecord

QUERIES: Any = aiosql.from_path(Path(__file__).parent / "queries.sql", "psycopg", mandatory_parameters=False)

_MOST_CODES = 50
_MOST_ACTIONS = 100
_MOST_RELATED = 40  # a month of nights whose failures were sent again at once
_COUNTED_SECONDS = 5  # calls are counted by stretches of this length; shorter ones are read from the calls themselves
_LISTING, _APART = "", ("leftovers", "approval")
_MOST_SCANS = 200  # dated prefixes of a year fit twice; the totals count all of them


def load_report(store: Store, run_id: str) -> Report:
    """The report of a run, finished or active. All details come from one snapshot of the database.

    Raises:
        BadOption: there is no such run.
        StoreUnreachable
    """
    with store.connection() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        row = QUERIES.run_facts(connection, run_id=run_id)
        if row is None:
            raise BadOption(f"there is no run {run_id!r} in this results database: `vod-migrate status` lists the runs")
        run, run_no = _run(row), row["run_no"]
        answers = list(QUERIES.call_totals(connection, run_no=run_no))
        rates = _rates(connection, row)
        failures = _failures(connection, run_no)
        deeds = QUERIES.actions_of_run(connection, run_no=run_no, most=_MOST_ACTIONS)
        actions = tuple(Action(**deed) for deed in deeds)
        scans = tuple(ScanFacts(**row) for row in QUERIES.scans_of_run(connection, run_no=run_no, most=_MOST_SCANS))
        samples: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
        notes: defaultdict[str, Notes] = defaultdict(Notes)
        for row in QUERIES.scan_samples(connection, run_no=run_no):
            kind = row["kind"] if row["kind"] in _APART else _LISTING
            samples[kind] = joined_samples(samples[kind], row["samples"])
            notes[kind] = notes[kind].joined(Notes.from_json(row["notes"]))
        verified = tuple(map(VerificationRecord.from_row, QUERIES.verifications_of_run(connection, run_no=run_no)))
        kin = [
            (row.pop("parent"), RelatedRun(**{**row, "settings": tuple(row["settings"] or ())}))
            for row in QUERIES.related_runs(connection, run_no=run_no, most=_MOST_RELATED)
        ]
        totals = QUERIES.scan_totals(connection, run_no=run_no)
        # The counts of a plan are no change of anything.
        before = None if run.state == "planned" else QUERIES.previous_run(connection, run_no=run_no)

    counts = store.counts(run_id)
    report = Report(
        run=run,
        sentence="",
        counts=counts,
        calls=Calls(**{row["answer"]: row["calls"] for row in answers}, files=sum(row["files"] for row in answers)),
        rates=rates,
        failures=failures,
        left_out=by_reason(counts.left_out, samples[_LISTING], notes[_LISTING]),
        hints=by_reason(notes[_LISTING].hints, samples[_LISTING], notes[_LISTING]),
        leftovers_left_out=by_reason(counts.leftovers_left_out, samples["leftovers"], Notes()),
        plan_differences=by_reason(
            {reason: count for reason, count in counts.approval.items() if reason != "approved"},
            samples["approval"],
            Notes(),
        ),
        actions=actions,
        scans=scans,
        prefixes=totals["prefixes"],
        prefixes_failed=totals["failed"],
        previous=None if before is None else PreviousRun(**before, counts=store.counts(before["run_id"])),
        verifications=verified,
        parents=tuple(one for parent, one in kin if parent),
        reruns=tuple(one for parent, one in kin if not parent),
    )
    return replace(report, sentence=headline_of(report))


def _run(row: Mapping[str, Any]) -> RunFacts:
    spec: Mapping[str, Any] = row["spec"]
    written: Mapping[str, Any] | None = row["exported"]
    taken = ("run_id", "account", "migration", "bucket", "mode", "local_date", "origin", "dag_id", "dag_run_id", "state",
             "stop_code", "stop_message", "started", "finished")  # fmt: skip
    return RunFacts(
        **{name: row[name] for name in taken},
        options=tuple(_flat(row["options"])),
        # Every format shows the name and the bucket at its top.
        settings=tuple(setting for setting in _flat(spec) if setting.name not in ("name", "source.bucket")),
        seconds=max(0.0, ((row["finished"] or row["now"]) - row["started"]).total_seconds()),
        timezone=str(spec.get("timezone") or "UTC"),
        export=None if written is None else ExportFacts(location=written["location"], rows=written["rows"]),
    )


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[Setting]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        elif isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
            for place, part in enumerate(value):
                yield from _flat(part, f"{above}{name}[{place}].")
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


def _rates(connection: StoreConnection, row: Mapping[str, Any]) -> CallRates:
    named = (row["spec"].get("register") or {}, row["options"])
    caps = [float(one["calls_per_second"]) for one in named if one.get("calls_per_second") is not None]
    run_no = row["run_no"]
    span = QUERIES.call_span(connection, run_no=run_no)
    begin = span["begin"]
    seconds = (span["end"] - begin).total_seconds() if begin else 0.0
    width = bucket_width(seconds)
    stretches = QUERIES.call_buckets if width < _COUNTED_SECONDS else QUERIES.call_stretches
    rows = stretches(connection, run_no=run_no, begin=begin, width=width) if begin else ()
    counted = ((one["bucket"], one["accepted"], one["throttled"], one["other"]) for one in rows)
    rate = QUERIES.account_rate(connection, account=row["account"])
    return CallRates(
        begin=begin,
        width=width,
        points=rate_points(counted, width=width, span=seconds),
        account_rate=None if rate is None else float(rate),
        cap=min(caps, default=None),
        documented=DOCUMENTED_CALLS_PER_SECOND,
    )


def _failures(connection: StoreConnection, run_no: int) -> tuple[FailureGroup, ...]:
    """The failures by cause, where one was found, and the rest of each code; the most frequent first."""
    groups = QUERIES.failure_groups(connection, run_no=run_no, most=_MOST_CODES)
    left = {row["code"]: row["objects"] for row in groups}
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    for row in QUERIES.failure_samples(connection, run_no=run_no, codes=list(left), most=SAMPLES):
        sample = Sample(key=row["key"], message=row["message"] or "", request_id=row["request_id"] or "")
        samples[row["code"]].append(sample)
    made: list[FailureGroup] = []
    examined: dict[str, int] = {}
    explained: set[str] = set()
    for row in QUERIES.diagnosed(connection, run_no=run_no, codes=list(left), most=SAMPLES):
        code, cause = row["code"], row["cause"]
        if not cause:
            examined[code] = row["objects"]
            continue
        shown = tuple(Sample(key=key, message=evidence) for key, evidence in row["samples"])
        explained.update(sample.key for sample in shown)
        # An object that was registered by an answer that came late keeps its diagnosis.
        count = min(row["objects"], left[code])
        left[code] -= count
        if count:
            made.append(FailureGroup(code=code, count=count, samples=shown, cause=cause, certain=row["certain"]))
    without = {"codes": list(examined), "objects": list(examined.values())}
    ruled_out = {row["code"]: tuple(row["causes"]) for row in QUERIES.ruled_out(connection, run_no=run_no, **without)}
    for code, count in left.items():
        if count:
            made.append(
                FailureGroup(
                    code=code,
                    count=count,
                    samples=tuple(sample for sample in samples[code] if sample.key not in explained),
                    examined=min(count, examined.get(code, 0)),
                    ruled_out=ruled_out.get(code, ()),
                )
            )
    return tuple(sorted(made, key=lambda group: (-group.count, group.name)))
