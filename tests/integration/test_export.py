"""Results as tables: `vod-migrate export` to a file, to OSS and to stdout, in every format, of a run, a migration, and what has changed."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import oss2
import psycopg
import pyarrow as pa
import pytest
from databases import Databases
from pyarrow import parquet
from rigging import BUCKET, Rig
from shell import Shell
from waiting import wait_for

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.cloud.upload import upload
from vod_migrate.report.table_formats import KINDS
from vod_migrate.results.csv_tables import RESULT_COLUMNS, unguarded
from vod_migrate.sandbox.pytest_plugin import Sandbox

HOSTILE = (
    "films/采访 第一集 🎬.mp4",
    "=cmd|' /C calc'!A0.mp4",
    'films/line\nbreak, "quoted";.mp4',
    "films/50% + 1.mp4",
)
TYPES = {"text": pa.string(), "integer": pa.int64(), "boolean": pa.bool_(), "time": pa.timestamp("ms", tz="UTC")}
Rows = list[dict[str, Any]]
PART = 100 * 1024


@dataclass(frozen=True, kw_only=True)
class Night:
    """Registered objects, one that failed, and one that is gone. run_id: of the first of its two runs."""

    sandbox: Sandbox
    shell: Shell
    run_id: str


def night_of(sandbox: Sandbox, shell: Shell) -> Night:
    for key in (*HOSTILE, "films/gone.mp4", "films/refused.mp4"):
        sandbox.put(BUCKET, key)
    sandbox.fault("fail_files", rate=1, keys="films/refused.mp4")
    done = shell.run("run", str(shell.file()), "--json")
    assert done.returncode == 0, done.stderr
    sandbox.delete(BUCKET, "films/gone.mp4")
    assert shell.run("run", str(shell.file()), "--json").returncode == 0
    return Night(sandbox=sandbox, shell=shell, run_id=str(json.loads(done.stdout)["run_id"]))


@pytest.fixture(scope="module")
def night(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """For tests that only read."""
    with Sandbox.start() as sandbox, databases.one() as url:
        sandbox.add_bucket("tables")
        shell = Shell(tmp_path_factory.mktemp("night"), {**sandbox.environment, "VOD_MIGRATE_DATABASE_URL": url})
        yield night_of(sandbox, shell)
        shell.stop()


def read(content: bytes, form: str) -> Rows:
    """The rows of a table with their types, as a program that knows the reference reads them."""
    if form == "parquet":
        table = parquet.read_table(io.BytesIO(content))
        assert table.schema == pa.schema([(name, TYPES[KINDS.get(name, "text")]) for name in RESULT_COLUMNS])
        rows: Rows = table.to_pylist()
        return rows
    if form == "jsonl":
        found = [json.loads(line) for line in content.decode().splitlines()]
        assert all(tuple(row) == RESULT_COLUMNS for row in found)
        return [{name: _moment(name, value) for name, value in row.items()} for row in found]
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert tuple(next(lines)) == RESULT_COLUMNS
    return [{name: _typed(name, cell) for name, cell in zip(RESULT_COLUMNS, line, strict=True)} for line in lines]


def _moment(name: str, value: Any) -> Any:
    return dt.datetime.fromisoformat(value) if value is not None and KINDS.get(name) == "time" else value


def _typed(name: str, cell: str) -> Any:
    kinds: dict[str, Callable[[str], Any]] = {"integer": int, "boolean": lambda text: text == "true"}
    return _moment(name, kinds.get(KINDS.get(name, "text"), unguarded)(cell)) if cell else None


def exported(shell: Shell, of: str, *arguments: str, form: str = "jsonl") -> Rows:
    place = shell.folder / f"table.{form}"
    done = shell.run("export", of, "--to", str(place), "--json", *arguments)
    assert done.returncode == 0, done.stderr
    rows = read(place.read_bytes(), form)
    assert json.loads(done.stdout) == {"location": str(place), "rows": len(rows), "bytes": place.stat().st_size}
    return rows


def states(rows: Rows) -> dict[str, str]:
    return {row["key"]: row["state"] for row in rows}


def test_every_format_holds_the_same_rows_and_types_in_the_order_of_the_keys(
    night: Night,
) -> None:
    sandbox, shell = night.sandbox, night.shell
    csv_rows, lines, columns = (exported(shell, "nightly", form=form) for form in ("csv", "jsonl", "parquet"))
    assert csv_rows == lines == columns
    assert [row["key"] for row in lines] == sorted((*HOSTILE, "films/gone.mp4", "films/refused.mp4"), key=str.encode)
    truth = {key: one.media_id for key, one in sandbox.truth(BUCKET).items()}
    assert {row["key"]: row["media_id"] for row in lines if row["media_id"]} == truth
    by_key = {row["key"]: row for row in lines}
    refused, film = by_key["films/refused.mp4"], by_key[HOSTILE[0]]
    assert (refused["state"], refused["code"], refused["media_id"]) == ("failed", "file_refused", None)
    assert (film["state"], film["title"], film["new_register"], film["run_id"]) == (
        "registered",
        "采访 第一集",
        True,
        night.run_id,
    )
    assert film["size"] > 0
    assert by_key["films/gone.mp4"]["state"] == "gone"


def test_duckdb_reads_the_parquet_with_the_documented_types(night: Night) -> None:
    place = night.shell.folder / "for-duckdb.parquet"
    assert night.shell.run("export", "nightly", "--to", str(place)).returncode == 0
    types = {"text": "VARCHAR", "integer": "BIGINT", "boolean": "BOOLEAN", "time": "TIMESTAMP WITH TIME ZONE"}
    with duckdb.connect() as reader:
        described = reader.execute("describe select * from read_parquet(?)", [str(place)]).fetchall()
        assert {row[0]: row[1] for row in described} == {
            name: types[KINDS.get(name, "text")] for name in RESULT_COLUMNS
        }
        query = "select key, media_id from read_parquet(?) where state = 'registered'"
        rows = dict(reader.execute(query, [str(place)]).fetchall())
    truth = night.sandbox.truth(BUCKET)
    assert rows == {key: one.media_id for key, one in truth.items() if key != "films/gone.mp4"}


def test_no_cell_of_a_csv_starts_a_formula(night: Night) -> None:
    shell = night.shell
    shell.run("export", "nightly", "--to", str(shell.folder / "a.csv"))
    lines = csv.reader(io.StringIO((shell.folder / "a.csv").read_text("utf-8-sig"), newline=""))
    assert [cell for line in lines for cell in line if cell[:1] in tuple("=+-@\t\r\n")] == []


SELECTED = {
    "mapping": (("--rows", "mapping"), {*HOSTILE, "films/gone.mp4"}),
    "failures": (("--rows", "failures"), {"films/refused.mp4"}),
    "a prefix": (("--prefix", "films/"), {key for key in (*HOSTILE, "films/gone.mp4", "films/refused.mp4") if key[0] == "f"}),
    "a prefix with a percent sign, taken literally": (("--prefix", "films/50%"), {"films/50% + 1.mp4"}),
    "nothing": (("--prefix", "shows/"), set()),
    "the future": (("--since", "2999-01-01"), set()),
    "a time before": (("--since", "2001-01-01T00:00+08:00", "--rows", "failures"), {"films/refused.mp4"}),
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTED)
def test_a_table_holds_what_was_asked_for(night: Night, name: str) -> None:
    arguments, keys = SELECTED[name]
    assert {row["key"] for row in exported(night.shell, "nightly", *arguments)} == keys


@pytest.mark.parametrize("digits", ["c0ffee00", "04384768"], ids=["", "that reads as a time"])
def test_what_has_changed_since_a_run_is_what_was_settled_or_went_since(
    rig: Rig, shell: Shell, monkeypatch: pytest.MonkeyPatch, digits: str
) -> None:
    rig.sandbox.put(BUCKET, "films/gone.mp4")
    rig.sandbox.put(BUCKET, "films/kept.mp4")
    with monkeypatch.context() as patched:
        patched.setattr("vod_migrate.run.request.secrets.token_hex", lambda _: digits)
        first = rig.run().run_id
    rig.sandbox.delete(BUCKET, "films/gone.mp4")
    rig.sandbox.put(BUCKET, "films/new.mp4")
    later = rig.run().run_id
    changed = {"films/gone.mp4": "gone", "films/new.mp4": "registered"}
    assert states(exported(shell, "nightly", "--since", first)) == changed
    assert states(exported(shell, "nightly", "--since", later)) == {}
    assert states(exported(shell, later)) == {"films/new.mp4": "registered"}


def test_a_table_on_stdout_is_the_same_and_says_how_long_it_is_on_stderr(night: Night) -> None:
    shell = night.shell
    done = shell.run("export", "nightly", "--to", "-", "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, "wrote 6 rows\n")
    assert read(done.stdout.encode(), "jsonl") == exported(shell, "nightly")


def test_a_migration_has_its_results_in_every_bucket_also_those_that_were_handed_over_to_it(
    rig: Rig, shell: Shell
) -> None:
    rig.sandbox.add_bucket("other-bucket")
    for bucket, name in ((BUCKET, "nightly"), ("other-bucket", "nightly"), ("other-bucket", "foreign")):
        rig.sandbox.put(bucket, f"of {name}.mp4")
        rig.run(rig.migration(name, source={"bucket": bucket}))
    mine = [(BUCKET, "of nightly.mp4"), ("other-bucket", "of nightly.mp4")]
    assert [(row["bucket"], row["key"]) for row in exported(shell, "nightly")] == mine
    assert shell.run("transfer", "foreign", "nightly").returncode == 0
    rows = exported(shell, "nightly")
    assert [(row["bucket"], row["key"]) for row in rows] == [mine[0], ("other-bucket", "of foreign.mp4"), mine[1]]
    assert exported(shell, "foreign") == []


# In OSS


def objects(sandbox: Sandbox) -> oss2.Bucket:
    return open_bucket(connection_from_environment(sandbox.environment), "tables").sdk_bucket()


def test_a_table_in_oss_is_an_object_like_the_file(night: Night) -> None:
    shell, tables = night.shell, objects(night.sandbox)
    key = "exports/表 + 50%.parquet"
    done = shell.run("export", "nightly", "--to", f"oss://tables/{key}")
    assert (done.returncode, done.stderr) == (0, f"wrote 6 rows to oss://tables/{key}\n")
    assert read(tables.get_object(key).read(), "parquet") == exported(shell, "nightly")


def test_a_long_table_goes_in_parts_and_what_ends_it_early_leaves_nothing(
    rig: Rig, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = rig.sandbox
    sandbox.put(BUCKET, "a.mp4")
    rig.run()
    sandbox.add_bucket("tables")
    monkeypatch.setattr("vod_migrate.cloud.upload.PART_BYTES", PART)
    many(shell, 3_000)
    tables = objects(sandbox)
    assert shell.run("export", "nightly", "--to", "oss://tables/a.csv").returncode == 0
    content = tables.get_object("a.csv").read()
    assert len(read(content, "csv")) == 3_001
    parts = -(-len(content) // PART)
    assert tables.head_object("a.csv").etag.endswith(f"-{parts}")
    # A part that OSS cannot take for a moment, and an answer that is lost, cost a try each.
    sandbox.fault("http_503", times=1, skip=1, api="UploadPart")
    sandbox.fault("reset", times=1, when="after", api="CompleteMultipartUpload")
    assert shell.run("export", "nightly", "--to", "oss://tables/b.csv").returncode == 0
    assert tables.get_object("b.csv").read() == content
    sandbox.clear_faults()
    sandbox.fault("error", api="UploadPart", code="AccessDenied", skip=2)
    done = shell.run("export", "nightly", "--to", "oss://tables/c.csv")
    assert done.returncode == 3
    assert "OSS refuses to write oss://tables/c.csv" in done.stderr
    assert "allow oss:PutObject" in done.stderr
    assert [one.key for one in tables.list_objects_v2().object_list] == ["a.csv", "b.csv"]
    assert tables.list_multipart_uploads().upload_list == []


def many(shell: Shell, count: int) -> None:
    """More results, as if they had been registered."""
    with psycopg.connect(shell.environment["VOD_MIGRATE_DATABASE_URL"]) as connection:
        connection.execute(
            "insert into vod_migrate.objects (source_id, migration_id, run_no, registered, key, media_id, size, sent) "
            "select source_id, migration_id, run_no, true, 'many/' || n || '.mp4', md5(n::text), n, '{\"Title\": \"t\"}' "
            "from generate_series(1, %s) n, lateral (select * from vod_migrate.runs order by run_no limit 1) r",
            (count,),
        )
        connection.execute("update vod_migrate.totals set last_key = 'many0' where state = 'registered'")


@pytest.mark.parametrize(("size", "parts"), [(0, 0), (1, 0), (PART, 0), (PART + 1, 2), (3 * PART, 3)])
def test_an_object_of_any_size_is_what_was_streamed_and_goes_in_parts_only_where_one_is_not_enough(
    night: Night, monkeypatch: pytest.MonkeyPatch, size: int, parts: int
) -> None:
    monkeypatch.setattr("vod_migrate.cloud.upload.PART_BYTES", PART)
    content = bytes(range(251)) * (size // 251 + 1)
    chunks = (content[start : min(start + 30_000, size)] for start in range(0, size, 30_000))
    bucket = open_bucket(connection_from_environment(night.sandbox.environment), "tables")
    assert upload(bucket, "sized", chunks, sleep=lambda _: None) == size
    found = objects(night.sandbox).get_object("sized")
    assert found.read() == content[:size]
    assert found.etag.partition("-")[2] == (str(parts) if parts else "")


def test_a_process_that_is_told_to_stop_leaves_neither_a_file_nor_an_object(night: Night, tmp_path: Path) -> None:
    shell, tables = night.shell, objects(night.sandbox)
    # Its last row has to wait.
    with psycopg.connect(shell.environment["VOD_MIGRATE_DATABASE_URL"]) as holder:
        holder.execute("lock table vod_migrate.sources in access exclusive mode")
        for place in (str(tmp_path / "out" / "a.csv"), "oss://tables/a.csv"):
            (tmp_path / "out").mkdir(exist_ok=True)
            process = shell.start("export", "nightly", "--to", place)
            wait_for(lambda: waiting(holder), "the export has begun")
            process.send_signal(signal.SIGTERM)
            holder.rollback()
            _, told = process.communicate(timeout=30)
            assert (process.returncode, "nothing was written" in told) == (130, True), told
            holder.execute("lock table vod_migrate.sources in access exclusive mode")
    assert list((tmp_path / "out").iterdir()) == []
    assert not tables.object_exists("a.csv")


def waiting(holder: psycopg.Connection[Any]) -> bool:
    found = holder.execute("select exists (select 1 from pg_locks where not granted)").fetchone()
    assert found is not None
    return bool(found[0])


def test_a_link_leads_to_the_file_that_is_replaced_and_a_pipe_is_not_replaced(night: Night, tmp_path: Path) -> None:
    (tmp_path / "latest.csv").symlink_to("dated.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    for name, code in (("latest.csv", 0), ("pipe.csv", 2)):
        assert night.shell.run("export", "nightly", "--to", str(tmp_path / name)).returncode == code
    assert (tmp_path / "latest.csv").is_symlink()
    assert len(read((tmp_path / "dated.csv").read_bytes(), "csv")) == 6
    assert (tmp_path / "pipe.csv").is_fifo()


REFUSED = {
    "no such run": (("nobody", "--to", "a.csv"), 2, "there is no run and no migration 'nobody'"),
    "an unknown ending": (("nightly", "--to", "a.xlsx"), 2, "give --format"),
    "no key": (("nightly", "--to", "oss://tables/"), 2, "write oss://BUCKET/KEY"),
    "another service": (("nightly", "--to", "s3://tables/a.csv"), 2, "cannot be written to"),
    "a folder": (("nightly", "--to", "/", "--format", "csv"), 2, "is a folder"),
    "no folder": (("nightly", "--to", "/nowhere/a.csv"), 2, "cannot write the export to /nowhere/a.csv"),
    "a prefix that is an address": (
        ("nightly", "--to", "a.csv", "--prefix", "oss://b/k"),
        2,
        "not the beginning of a key",
    ),
    "no time and no run": (("nightly", "--to", "a.csv", "--since", "yesterday"), 2, "neither a time"),
    "two things on stdout": (("nightly", "--to", "-", "--json"), 2, "leave one of them out"),
    "no such bucket": (("nightly", "--to", "oss://nowhere/a.csv"), 2, "the bucket does not exist"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_says_what_to_change(night: Night, name: str) -> None:
    arguments, code, said = REFUSED[name]
    done = night.shell.run("export", *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_parquet_without_pyarrow_names_what_to_install(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = night.shell
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    done = shell.run("export", "nightly", "--to", str(shell.folder / "a.parquet"))
    assert (done.returncode, "pip install 'vod-migrate[parquet]'" in done.stderr) == (2, True)
    assert not (shell.folder / "a.parquet").exists()


def test_an_exported_table_is_a_manifest(rig: Rig, shell: Shell) -> None:
    for key in HOSTILE:
        rig.sandbox.put(BUCKET, key)
    rig.sandbox.fault("fail_files", rate=1)
    rig.run()
    table = shell.folder / "results.csv"
    assert set(states(exported(shell, "nightly", "--rows", "failures"))) == set(HOSTILE)
    shell.run("export", "nightly", "--to", str(table), "--rows", "failures")
    rig.sandbox.clear_faults()
    again = rig.run(rig.migration(source={"manifest": {"location": str(table)}}), mode="all")
    assert again.counts.registered == len(HOSTILE)
    assert states(exported(shell, "nightly", "--rows", "failures")) == {}
