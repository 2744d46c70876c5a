"""A report is read from a real Postgres, from rows as the engine writes them."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.report.files import write_report
from vod_migrate.report.loader import load_report
from vod_migrate.report.text import render_text
from vod_migrate.results.csv_tables import ENCODING, FAILURE_COLUMNS, MAPPING_COLUMNS, unguarded
from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Settlement

BUCKET = "media-archive"
BEGIN = dt.datetime(2026, 11, 21, 17, 0, tzinfo=dt.UTC)  # 01:00 in Shanghai

HOSTILE_KEYS = (
    "films/<script>alert(1)</script>.mp4",
    "=cmd|' /C calc'!A0.mp4",
    "@sum(1+1).mp4",
    "'=already quoted.mp4",
    "films/line\nbreak.mp4",
    "\rreturn.mp4",
    "films/\u202egpj.4pm.mp4",
    "films/\x1b[31mred.mp4",
    'films/"quotes", commas; and semicolons.mp4',
    "films/采访 第一集 🎬.mp4",
)


class Night:
    """A run whose calls and outcomes are recorded as its worker would; times and whole states are set by SQL."""

    def __init__(self, store: Store, run_id: str = "run-1", *, begin: dt.datetime = BEGIN, **facts: Any) -> None:
        self.store, self.run_id, self.begin = store, run_id, begin
        spec = parse_migration(
            {
                "name": "interviews",
                "source": {"bucket": BUCKET, "prefixes": ["films/"]},
                "register": {"template_group_id": "VOD_NO_TRANSCODE", "calls_per_second": 20},
            },
            origin="test",
        )
        row = {"mode": "new", "options": {}, "state": "succeeded", "stop_code": None, "stop_message": None} | facts
        self.run = store.prepare_run(
            Run(
                run_id=run_id,
                account="default",
                migration="interviews",
                bucket=BUCKET,
                mode=Mode(row["mode"]),
                options=RunOptions(mode=Mode(row["mode"]), **row["options"]),
                spec=spec,
                spec_digest=spec.digest(),
            ),
            prefixes=[],
            whole=True,
        )
        self.place = store.take_place(self.run, slot="one", host="h")
        end = None if row["state"] == "running" else begin + dt.timedelta(seconds=120)
        self.execute(
            "update vod_migrate.runs set state = %s, stop_code = %s, stop_message = %s, created_at = %s, finished_at = %s where run_no = %s",
            (row["state"], row["stop_code"], row["stop_message"], begin, end, self.run.run_no),
        )

    def execute(self, query: str, values: tuple[Any, ...]) -> None:
        with psycopg.connect(self.store.url) as connection:
            connection.execute(query.encode(), values)

    def scan(self, prefix: str = "films/", *, state: str = "complete", listed: int = 0, **facts: Any) -> None:
        self.execute(
            """insert into vod_migrate.scans (run_no, prefix, position, kind, state, whole, page_no, listed, counts, left_out, samples,
                                              error_code, error, started_at, finished_at)
               values (%s, %s, (select count(*) from vod_migrate.scans), %s, %s, true, 1, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                self.run.run_no, prefix, facts.get("kind", "prefix"), state, listed, Jsonb(facts.get("counts", {})),
                Jsonb(facts.get("left_out", {})), Jsonb(facts.get("samples", {})), facts.get("error_code"), facts.get("error"),
                self.begin, self.begin + dt.timedelta(seconds=3),
            ),
        )  # fmt: skip

    def call(self, second: float = 0, *, answer: str = "ok", times: int = 1, request_id: str | None = "REQ-1") -> int:
        calls = [
            CallRecord(
                call_id=new_call_id(),
                started_at=self.begin + dt.timedelta(seconds=second),
                seconds=0.1,
                answer=answer,
                files=10,
                request_id=request_id,
            )
            for _ in range(times)
        ]
        self.store.record(self.run, self.place, calls)
        return calls[0].call_id

    def queue(self, key: str) -> None:
        """Work that this run holds."""
        self.execute(
            """with block as (
                 insert into vod_migrate.blocks (queue_no, objects, token) values (%s, 1, %s) returning block_id
               ) insert into vod_migrate.work (source_id, queue_no, block_id, key, size, etag, last_modified, storage_class)
                 select %s, %s, block_id, %s, 1048576, 'ABC', %s, 'Standard' from block""",
            (self.run.queue_no, self.place.token, self.run.source_id, self.run.queue_no, key, BEGIN),
        )

    def settled(self, key: str, outcome: str = "registered", *, code: str | None = None, **facts: Any) -> None:
        """The object is queued, and answered about. request_id: of a call of its own."""
        self.queue(key)
        call_id = facts.get("call_id")
        if "request_id" in facts:
            call_id = self.call(request_id=facts["request_id"])
        media_id = facts.get("media_id", f"media-{abs(hash(key))}" if "registered" in outcome else None)
        settlement = Settlement(
            key=key,
            outcome=outcome,
            media_id=media_id,
            code=code,
            message=facts.get("message"),
            sent={"Title": facts.get("title", key)},
            call_id=call_id,
        )
        self.store.record(self.run, self.place, [], [settlement])
        self.execute("update vod_migrate.objects set settled_at = %s where key = %s", (BEGIN, key))


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding=ENCODING, newline="") as file:
        return list(csv.reader(file))


@pytest.mark.smoke
def test_a_report_groups_failures_by_code_with_share_samples_and_what_to_do(store: Store) -> None:
    night = Night(store)
    for number in range(7):
        night.settled(f"films/refused-{number}.mp4", "failed", code="file_refused", request_id=f"REQ-{number}")
    night.settled("films/long.mp4", "failed", code="url_too_long", message="1,100 bytes")
    night.settled("films/odd.mp4", "failed", code="Weird.Code", message="?")
    night.settled("films/none.mp4", "failed")
    report = load_report(store, "run-1")
    assert [(group.code, group.count, round(report.share_of(group), 2)) for group in report.failures] == [
        ("file_refused", 7, 0.7),
        ("Weird.Code", 1, 0.1),
        ("no_code", 1, 0.1),
        ("url_too_long", 1, 0.1),
    ]
    refused = report.failures[0]
    assert [sample.request_id for sample in refused.samples] == ["REQ-0", "REQ-1", "REQ-2", "REQ-3", "REQ-4"]
    assert "added to VOD" in " ".join(refused.diagnosis.checks)
    assert report.failures[3].samples[0].message == "1,100 bytes"
    assert report.counts.failed == sum(group.count for group in report.failures) == 10


def test_a_report_of_an_older_run_keeps_its_numbers_when_a_later_run_registered_what_had_failed(store: Store) -> None:
    Night(store).settled("films/a.mp4", "failed", code="file_refused", request_id="REQ-OLD")
    later = Night(store, "run-2", begin=BEGIN + dt.timedelta(days=1))
    later.settled("films/a.mp4", request_id="REQ-NEW")
    report = load_report(store, "run-1")
    assert report.counts.failed == 1
    assert report.counts.registered == 0
    assert report.failures[0].samples[0].request_id == "REQ-OLD"


def test_outcomes_that_are_not_the_end_of_an_object_are_no_failures(store: Store) -> None:
    night = Night(store)
    for outcome in ("retry", "unknown"):
        night.settled(f"films/{outcome}.mp4", outcome, code="file_refused")
    night.settled("films/fine.mp4")
    report = load_report(store, "run-1")
    assert report.failures == ()
    assert report.settled == report.counts.registered == 1


def test_what_failed_and_was_registered_by_a_late_answer_of_the_same_run_is_no_failure(
    store: Store, tmp_path: Path
) -> None:
    night = Night(store)
    night.settled("films/late.mp4", "failed", code="no_answer")
    late = Settlement(key="films/late.mp4", outcome="registered", media_id="M", sent={"Title": "late"})
    store.record(night.run, night.place, [], [late])
    report = load_report(store, "run-1")
    assert (report.failures, report.counts.failed, report.counts.registered) == ((), 0, 1)
    assert rows(write_report(store, "run-1", tmp_path).failures_csv)[1:] == []


def test_codes_too_rare_for_a_group_are_still_counted_and_pointed_to(store: Store) -> None:
    night = Night(store)
    for number in range(52):
        night.settled(f"films/{number}.mp4", "failed", code=f"Code{number:02}")
    report = load_report(store, "run-1")
    assert (len(report.failures), report.failed_otherwise) == (50, 2)
    assert "2 with rarer codes" in render_text(report)


def test_the_pace_counts_every_call_once_and_names_each_limit(store: Store) -> None:
    night = Night(store, options={"calls_per_second": 12.0})
    night.execute("insert into vod_migrate.quotas (account, api, rate) values ('default', 'RegisterMedia', 47)", ())
    night.call(0.0, times=40)
    night.call(0.5, times=5, answer="throttled")
    night.call(2.2, times=30)
    night.call(2.4, answer="refused")
    night.call(2.5, answer="transient", times=2)
    report = load_report(store, "run-1")
    assert [(p.offset, p.accepted, p.throttled, p.other) for p in report.rates.points] == [
        (0, 40, 5, 0),
        (1, 0, 0, 0),
        (2, 30, 0, 3),
    ]
    assert (report.calls.ok, report.calls.throttled, report.calls.refused, report.calls.transient) == (70, 5, 1, 2)
    assert report.calls.total == report.counts.calls == 78
    assert (report.rates.account_rate, report.rates.cap, report.rates.documented) == (47, 12, 50)


def test_left_out_reasons_and_prefixes_are_summed_and_explained(store: Store) -> None:
    night = Night(store, state="failed")
    night.scan("a/", listed=30, left_out={"extension": 20, "empty": 1})
    night.scan("b/", listed=5, left_out={"extension": 1, "some_new_reason": 4})
    night.scan("c/", state="failed", error_code="source_denied", error="no oss:ListObjects on media-archive")
    report = load_report(store, "run-1")
    assert [(left.reason, left.count) for left in report.left_out] == [
        ("extension", 21),
        ("some_new_reason", 4),
        ("empty", 1),
    ]
    assert all(left.diagnosis.meaning for left in report.left_out)
    assert [scan.prefix for scan in report.scans] == ["a/", "b/", "c/"]
    assert report.sentence.startswith("1 of 3 prefixes could not be listed")
    assert "no oss:ListObjects" in render_text(report)


def test_the_previous_run_is_the_one_of_this_migration_before_this_one(store: Store) -> None:
    for number in range(3):
        night = Night(store, f"run-{number}", begin=BEGIN + dt.timedelta(days=number))
        for file in range(number + 1):
            night.settled(f"films/{number}-{file}.mp4")
    previous = load_report(store, "run-1").previous
    assert previous is not None
    assert (previous.run_id, previous.counts.registered, previous.seconds) == ("run-0", 1, 120)
    assert load_report(store, "run-0").previous is None


@pytest.mark.parametrize(
    ("facts", "listed", "says"),
    [
        ({}, 0, "Nothing to do: no object was found under the prefixes."),
        ({}, 1, "Nothing to do: the 1 listed object is not new."),
        ({}, 5, "Nothing to do: none of the 5 listed objects is new."),
        ({"mode": "failed"}, 0, "Nothing to do: this migration had no failed objects."),
        ({"state": "interrupted"}, 5, "Interrupted after 2 min: no objects registered."),
        ({"state": "stopped", "stop_code": "denied"}, 5, "Stopped after 2 min: no objects registered."),
        ({"state": "paused", "stop_code": "window"}, 5, "Paused after 2 min: no objects registered."),
        ({"state": "cancelled", "stop_code": "cancelled"}, 5, "Cancelled after 2 min: no objects registered."),
    ],
)
def test_a_run_without_a_single_call_is_told_in_one_sentence(
    store: Store, facts: dict[str, Any], listed: int, says: str
) -> None:
    night = Night(store, **facts)
    if facts.get("mode") != "failed":
        night.scan(listed=listed)
    report = load_report(store, "run-1")
    assert report.sentence == says
    assert report.rates.points == ()


def test_a_run_in_which_everything_belongs_to_another_migration_warns(store: Store) -> None:
    night = Night(store)
    night.scan(listed=5, counts={"owned_elsewhere": 3}, left_out={"extension": 2})
    assert load_report(store, "run-1").sentence == (
        "Warning: nothing was sent, because all 3 selected objects belong to another migration."
    )


def test_what_differs_from_the_plan_and_what_earlier_runs_left_stand_apart(store: Store) -> None:
    night = Night(store)
    night.scan(listed=3, left_out={"extension": 1}, samples={"extension": ["films/a.txt"]})
    night.scan("", kind="leftovers", listed=2, left_out={"excluded": 2}, samples={"excluded": ["private/a.mp4"]})
    night.scan(
        "", kind="approval", listed=4, counts={"approved": 3, "vanished": 1}, samples={"vanished": ["films/gone.mp4"]}
    )
    report = load_report(store, "run-1")
    assert [(left.reason, left.count, left.samples) for left in report.left_out] == [("extension", 1, ("films/a.txt",))]
    assert [(left.reason, left.samples) for left in report.leftovers_left_out] == [("excluded", ("private/a.mp4",))]
    assert [(left.reason, left.samples) for left in report.plan_differences] == [("vanished", ("films/gone.mp4",))]
    assert (report.prefixes, [scan.kind for scan in report.scans]) == (1, ["prefix"])
    assert "1 object not as in the approved plan" in render_text(report)


def test_a_run_that_nobody_knows_is_refused_with_the_way_to_find_one(store: Store) -> None:
    with pytest.raises(BadOption, match="vod-migrate status"):
        load_report(store, "run-nobody")


def test_the_tables_of_an_empty_run_are_their_header_alone(store: Store, tmp_path: Path) -> None:
    Night(store)
    files = write_report(store, "run-1", tmp_path)
    assert rows(files.failures_csv) == [list(FAILURE_COLUMNS)]
    assert rows(files.mapping_csv) == [list(MAPPING_COLUMNS)]


def test_hostile_keys_come_back_from_the_tables_exactly_and_no_cell_starts_a_formula(
    store: Store, tmp_path: Path
) -> None:
    night = Night(store)
    for key in HOSTILE_KEYS:
        night.settled(key, title=key)
        night.settled(f"{key}.failed", "failed", code="=code", message=key)
    files = write_report(store, "run-1", tmp_path)
    failed, mapped = rows(files.failures_csv)[1:], rows(files.mapping_csv)[1:]
    assert {unguarded(row[1]) for row in mapped} == set(HOSTILE_KEYS)
    assert {unguarded(row[4]) for row in mapped} == set(HOSTILE_KEYS)
    assert {unguarded(row[1]) for row in failed} == {f"{key}.failed" for key in HOSTILE_KEYS}
    assert {unguarded(row[3]) for row in failed} == set(HOSTILE_KEYS)
    assert not [cell for row in failed + mapped for cell in row if cell[:1] in tuple("=+-@\t\r\n")]
    assert files.mapping_csv.read_bytes().startswith(b"\xef\xbb\xbf")


def test_the_mapping_names_the_media_of_each_object_of_the_run_or_of_the_whole_migration(
    store: Store, tmp_path: Path
) -> None:
    Night(store, "run-0", begin=BEGIN - dt.timedelta(days=1)).settled("films/old.mp4", media_id="M0")
    night = Night(store)
    night.settled("films/b.mp4", media_id="M2", title="b")
    night.settled("films/a.mp4", "already_registered", media_id="M1", title="a")
    night.settled("films/c.mp4", "failed", code="file_refused")
    files = write_report(store, "run-1", tmp_path)
    assert rows(files.mapping_csv)[1:] == [
        [
            "media-archive", "films/a.mp4", "M1", "false", "a", "1048576", "ABC", "Standard", "2026-11-21T17:00:00Z", "run-1",
        ],
        [
            "media-archive", "films/b.mp4", "M2", "true", "b", "1048576", "ABC", "Standard", "2026-11-21T17:00:00Z", "run-1",
        ],
    ]  # fmt: skip
    whole = write_report(store, "run-1", tmp_path / "all", mapping="migration")
    assert [row[9] for row in rows(whole.mapping_csv)[1:]] == ["run-1", "run-1", "run-0"]


def test_the_report_of_a_real_run_agrees_with_what_the_sandbox_registered(rig: Any, tmp_path: Path) -> None:
    rig.sandbox.add_bucket("media-archive")
    for key in ("films/a.mp4", "films/采访.mov", "films/notes.txt"):
        rig.sandbox.put("media-archive", key)
    summary = rig.run()
    report = load_report(rig.store, summary.run_id)
    files = write_report(rig.store, summary.run_id, tmp_path)
    assert report.counts == summary.counts
    assert report.sentence.startswith("2 objects registered in ")
    assert [left.reason for left in report.left_out] == ["extension"]
    mapped = [dict(zip(MAPPING_COLUMNS, row, strict=True)) for row in rows(files.mapping_csv)[1:]]
    truth = rig.sandbox.truth("media-archive")
    assert {row["key"]: row["media_id"] for row in mapped} == {key: item.media_id for key, item in truth.items()}
    assert [row["title"] for row in mapped] == ["a", "采访"]
    assert {row["run_id"] for row in mapped} == {summary.run_id}
    assert sum(point.accepted for point in report.rates.points) == report.calls.ok == 1


def test_neither_page_nor_text_lets_hostile_keys_through(store: Store, tmp_path: Path) -> None:
    night = Night(store, state="stopped", stop_code="denied", stop_message="</script><script>alert(2)</script>\x1b[2J")
    for key in HOSTILE_KEYS:
        night.settled(key, "failed", code=f"code {key}"[:60], message=key)
    files = write_report(store, "run-1", tmp_path)
    page = files.html.read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    for steering in ("\x1b", "\r", "\u202e"):
        assert steering not in page
        assert steering not in files.text
    assert all(len(line) <= 100 for line in files.text.splitlines())


def test_files_appear_whole_under_names_that_any_run_id_can_have(store: Store, tmp_path: Path) -> None:
    run_id = "scheduled__2026-11-21T17:00:00+00:00/../x"
    Night(store, run_id)
    first = write_report(store, run_id, tmp_path / "new" / "folder")
    again = write_report(store, run_id, tmp_path / "new" / "folder")
    assert first == again
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(
        path.name for path in (first.html, first.failures_csv, first.mapping_csv)
    )


def test_a_folder_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    Night(store)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BadSetting, match="cannot write the report to"):
        write_report(store, "run-1", tmp_path / "file")


def test_the_json_face_holds_only_json_and_agrees_with_the_counts(store: Store) -> None:
    night = Night(store)
    night.scan(listed=3, left_out={"extension": 1})
    night.call()
    night.settled("films/a.mp4")
    night.settled("films/b.mp4", "failed", code="InvalidParameter", message="title")
    report = load_report(store, "run-1")
    again = json.loads(json.dumps(report.as_json()))
    assert again["counts"] == report.counts.as_json()
    assert again["run"]["started"] == "2026-11-21T17:00:00+00:00"
    assert again["failures"][0]["diagnosis"]["code"] == "InvalidParameter"
    assert again["calls"]["total"] == 1
