"""A manifest through the engine and the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nights import EVERYTHING
from rigging import BUCKET, Rig
from sources import forget, from_manifest
from urllib3.exceptions import ProtocolError
from urllib3.response import HTTPResponse

from vod_migrate.cloud.connection import Connection, connection_from_environment
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.streams import Streams
from vod_migrate.errors import BadOption, Interrupted, ManifestBroken, SourceDenied
from vod_migrate.migration.options import parse_options
from vod_migrate.migration.source import Manifest
from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.report.files import write_report
from vod_migrate.report.loader import load_report
from vod_migrate.report.text import render_text
from vod_migrate.sandbox.pytest_plugin import Sandbox


def test_a_row_that_is_broken_fails_by_itself_and_the_others_are_registered(rig: Rig, tmp_path: Path) -> None:
    for number in range(3):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    path = tmp_path / "list.csv"
    path.write_text(
        "key,size,Title\n0.mp4,5,Zero\n1.mp4,big,One\noss://elsewhere/x.mp4,5,X\n,5,nothing\n2.mp4,5\n0.mp4,5,Again\n",
        encoding="utf-8",
    )
    told = from_manifest(rig, path, columns={"title": "Title"})
    assert told.error is None
    assert (told.counts.discovered, told.counts.registered, told.counts.failed) == (6, 1, 3)
    assert told.counts.left_out == {"duplicate": 1, "row_no_key": 1}
    results = rig.results()
    assert {key: (state, code) for key, (state, _, code) in results.items()} == {
        "0.mp4": ("registered", None),
        "1.mp4": ("failed", "row_value"),
        "oss://elsewhere/x.mp4": ("failed", "row_other_bucket"),
        "2.mp4": ("failed", "row_columns"),
    }
    assert rig.sandbox.truth(BUCKET)["0.mp4"].title == "Zero"
    report = load_report(rig.store, told.run_id)
    assert {group.code: group.samples[0].message for group in report.failures}["row_value"].startswith(
        "line 3 has the size"
    )
    assert "line 5 has no value in the column 'key'" in render_text(report)

    assert rig.run(rig.migration(source={"manifest": {"location": str(path)}}), mode="failed").calls == 0
    path.write_text("key,size,Title\n0.mp4,5,Zero\n1.mp4,5,One\n2.mp4,5,Two\n", encoding="utf-8")
    mended = from_manifest(rig, path, columns={"title": "Title"})
    assert (mended.counts.registered, mended.counts.unchanged, mended.counts.failed) == (2, 1, 0)
    assert rig.sandbox.truth(BUCKET)["2.mp4"].title == "Two"


def test_an_object_whose_row_breaks_while_it_waits_is_counted_once(rig: Rig, tmp_path: Path) -> None:
    path = tmp_path / "films.csv"
    source = rig.migration(source={"manifest": {"location": str(path)}})
    for number in range(2):
        rig.sandbox.put(BUCKET, f"{number}.mp4")
    for size in ("5", "many"):
        path.write_text(f"key,size\n0.mp4,5\n1.mp4,{size}\n", encoding="utf-8")
        run = rig.prepare(source)
        rig.discover(run)
        rig.lapse(run)
    [line] = migrations_page(rig.store, readable=EVERYTHING).lines
    assert (line.pending, line.failed, line.objects) == (1, 1, 2)
    assert rig.run(source).counts.registered == 2
    rig.assert_results_equal_truth()


def test_many_broken_rows_do_not_stop_a_run_before_it_began(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "z.mp4")
    path = tmp_path / "list.jsonl"
    lines = [{"key": f"{n}.mp4", "size": "?"} for n in range(1_200)]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*lines, {"key": "z.mp4"}]), encoding="utf-8")
    told = from_manifest(rig, path)
    assert (told.state, told.counts.registered, told.counts.failed) == ("succeeded", 1, 1_200)


def test_columns_of_a_manifest_reach_the_templates_and_stay_for_a_rerun(rig: Rig, tmp_path: Path) -> None:
    for key in ("a.mp4", "b.mp4"):
        rig.sandbox.put(BUCKET, key)
    path = tmp_path / "list.jsonl"
    path.write_text(
        '{"key": "a.mp4", "节目": "一", "season": 2, "more": {"x": [1]}}\n{"key": "b.mp4", "节目": "", "season": 3}\n',
        encoding="utf-8",
    )
    told = from_manifest(
        rig, path, columns={"title": "节目"}, content={"describe": {"title": "{{ stem }}, season {{ row.season }}"}}
    )
    assert told.counts.registered == 2
    assert {key: item.title for key, item in rig.sandbox.truth(BUCKET).items()} == {
        "a.mp4": "一",
        "b.mp4": "b, season 3",
    }
    assert rig.rows("select sent ->> 'Title' from vod_migrate.objects order by key") == [("一",), ("b, season 3",)]


def test_what_a_manifest_does_not_say_is_unknown_and_head_asks_for_it(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "a.mp4", b"12345")
    rig.sandbox.put(BUCKET, "cold.mp4", b"12345", storage_class="Archive")
    path = tmp_path / "list.csv"
    path.write_text("key\na.mp4\ncold.mp4\nmissing.mp4\n", encoding="utf-8")
    sized = from_manifest(rig, path, content={"select": {"min_size": 2}})
    assert (sized.calls, sized.counts.left_out) == (0, {"size_unknown": 3})
    timed = from_manifest(rig, path, options={"modified_since": "2020-01-01"})
    assert timed.counts.left_out == {"time_unknown": 3}
    asked = from_manifest(rig, path, check="head", content={"select": {"min_size": 2}})
    assert (asked.counts.registered, asked.counts.failed, asked.counts.left_out) == (1, 1, {"archived": 1})
    assert rig.results()["missing.mp4"][2] == "row_no_object"
    [(message,)] = rig.rows("select message from vod_migrate.objects where key = 'missing.mp4'")
    assert message.startswith("line ")
    assert f"oss://{BUCKET}/missing.mp4" in message
    assert rig.rows("select size, storage_class from vod_migrate.objects where key = 'a.mp4'") == [(5, "Standard")]
    forget(rig)
    blind = from_manifest(rig, path)
    assert blind.counts.discovered == 3
    assert rig.rows("select size, etag, last_modified, storage_class from vod_migrate.objects where key = 'a.mp4'") == [
        (None, None, None, None)
    ]
    files = write_report(rig.store, blind.run_id, tmp_path)
    (line,) = [line for line in files.mapping_csv.read_text("utf-8-sig").splitlines() if "a.mp4" in line]
    assert "None" not in line
    assert "The source" in files.text
    assert "<h2>Source</h2>" in files.html.read_text("utf-8")
    known = rig.run()
    assert (known.counts.unchanged, known.counts.changed) == (1, 0)


def test_a_manifest_never_marks_anything_as_gone(rig: Rig, tmp_path: Path) -> None:
    for key in ("a.mp4", "b.mp4"):
        rig.sandbox.put(BUCKET, key)
    rig.run()
    path = tmp_path / "list.csv"
    path.write_text("key\na.mp4\n", encoding="utf-8")
    told = from_manifest(rig, path)
    assert (told.counts.gone, told.counts.unchanged) == (0, 1)
    assert rig.results()["b.mp4"][0] == "registered"


def test_a_manifest_scan_goes_on_at_its_row_and_notices_a_changed_file(rig: Rig, tmp_path: Path) -> None:
    for number in range(2_200):
        rig.sandbox.put(BUCKET, f"{number:04}.mp4", b"x")
    path = tmp_path / "list.csv"
    path.write_text("key\n" + "".join(f"{n:04}.mp4\n" for n in range(2_200)), encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": str(path)}})
    for change in (False, True):
        forget(rig)
        run = rig.prepare(migration)
        rig.discover_a_page(run)
        if change:
            path.write_text("key\n0001.mp4\n", encoding="utf-8")
            with pytest.raises(ManifestBroken, match="has changed since this run began"):
                rig.discover(run)
        else:
            rig.discover(run)
            assert rig.store.counts(run.run_id).discovered == 2_200
            assert len(rig.results()) == 2_200


def test_duplicates_are_taken_once_also_in_mode_all_and_pages_apart(rig: Rig, tmp_path: Path) -> None:
    for number in range(1_001):
        rig.sandbox.put(BUCKET, f"{number:04}.mp4", b"x")
    path = tmp_path / "list.csv"
    path.write_text("key\n" + "".join(f"{n:04}.mp4\n" for n in range(1_001)) + "0000.mp4\n0000.mp4\n", encoding="utf-8")
    for mode in ("new", "all"):
        told = from_manifest(rig, path, options={"mode": mode})
        assert (told.error, told.counts.discovered) == (None, 1_003)
    assert rig.sandbox.truth(BUCKET)["0000.mp4"].registrations == 2


def test_a_manifest_in_oss_that_is_missing_or_denied_is_named(rig: Rig, sandbox: Sandbox) -> None:
    run = rig.prepare(rig.migration(source={"manifest": {"location": f"oss://{BUCKET}/none.csv"}}))
    with pytest.raises(ManifestBroken, match=r"oss://media-archive/none\.csv does not exist"):
        rig.discover(run)
    wrong = connection_from_environment({**sandbox.environment, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong"})
    other = Rig(rig.store, wrong, sandbox)
    run = other.prepare(other.migration(name="denied", source={"manifest": {"location": f"oss://{BUCKET}/none.csv"}}))
    with pytest.raises(SourceDenied, match="oss:GetObject"):
        other.discover(run)


def test_a_manifest_whose_connection_breaks_is_read_on_from_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        rig.sandbox.put(BUCKET, f"{number:02}.mp4")
    rig.sandbox.put(BUCKET, "list.csv", ("key\n" + "".join(f"{n:02}.mp4\n" for n in range(40))).encode())
    given: list[int] = []
    real = HTTPResponse.stream

    def breaking(self: Any, _: int, decode_content: bool | None = None) -> Iterator[bytes]:
        for chunk in real(self, 100, decode_content):
            given.append(len(chunk))
            if len(given) in (2, 4):
                raise ProtocolError("reset")
            yield chunk

    monkeypatch.setattr(HTTPResponse, "stream", breaking)
    monkeypatch.setattr("vod_migrate.shutdown.StopClock.sleep", lambda *_: None)
    told = from_manifest(rig, f"oss://{BUCKET}/list.csv")
    assert told.counts.registered == 40


def test_a_dated_manifest_is_found_by_the_runs_date(rig: Rig, tmp_path: Path) -> None:
    rig.sandbox.put(BUCKET, "a.mp4")
    (tmp_path / "2024-05-01.csv").write_text("key\na.mp4\n", encoding="utf-8")
    migration = rig.migration(source={"manifest": {"location": f"{tmp_path}/{{{{ date }}}}.csv"}})
    with pytest.raises(BadOption, match="give the run a date"):
        rig.prepare(migration)
    assert rig.run(migration, date="2024-05-01").counts.registered == 1
    assert rig.run(migration, mode="failed").error is None
    assert parse_options({}).prefixes is None


def test_a_look_for_playlists_in_a_long_table_ends_when_it_is_told_to(connection: Connection, tmp_path: Path) -> None:
    told: list[float] = []

    def sleep(seconds: float) -> None:
        told.append(seconds)
        if len(told) == 3:
            raise Interrupted("was stopped")

    path = tmp_path / "media.csv"
    path.write_text("key\n" + "".join(f"{number}.ts\n" for number in range(10_000)), encoding="utf-8")
    streams = Streams(read=lambda _: None)
    with pytest.raises(Interrupted):
        list(manifest_pages(connection, BUCKET, Manifest(location=str(path)), streams=streams, sleep=sleep))
    assert told == [0.0] * 3
