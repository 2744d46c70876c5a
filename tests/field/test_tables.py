"""Lists as Excel, pandas and databases really write them: what `vod-migrate plan` makes of each.

A row a case: its name, the file's name and bytes, settings of source.manifest, the exit code, and words that must be shown.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from typing import Any

import pytest
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.sandbox.pytest_plugin import Sandbox


def table(**columns: Any) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - an optional extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra

    written = io.BytesIO()
    pq.write_table(pa.table(columns), written)
    return written.getvalue()


def nanoseconds(value: int) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an optional extra

    return pa.array([value], pa.timestamp("ns"))


def workbook() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return written.getvalue()


CSV = b"key,size\n" + b"".join(b"%d.mp4,1\n" % number for number in range(100))
TAIL = b'"20.mp4,1\n' + CSV.partition(b"20.mp4,1\n")[2]

REFUSED: list[tuple[str, str, bytes, dict[str, Any], str]] = [
    ("a JSON array in one line", "a.jsonl", b'[{"key":"a.mp4"},{"key":"b.mp4"}]', {}, "is a JSON list, not an object"),
    ("a JSON array over lines", "a.jsonl", b'[\n{"key":"a.mp4"},\n{"key":"b.mp4"}\n]', {}, "line 1 is not JSON"),
    ("pretty-printed JSON", "a.jsonl", b'{\n  "key": "a.mp4"\n}\n{"key": "b.mp4"}\n', {}, "write one object a line"),
    ("JSON text", "a.ndjson", b'"a.mp4"\n', {}, "is a JSON string, not an object"),
    ("a quote opened in line 20", "a.csv", CSV.partition(b"20.mp4,1\n")[0] + TAIL, {}, "opened in line 22"),
    ("a quote opened in the last line", "a.csv", b'key,size\na.mp4,1\n"b.mp4,1\n', {}, "opened in line 3"),
    ("a stray quote that a later one closes", "a.csv", b'key,title\n"a.mp4,A\nb.mp4,B\nc.mp4,"C"\n', {}, "lines 2 to 4"),
    ("a workbook", "a.csv", workbook(), {}, "is a workbook or a zip archive"),
    ("an old workbook", "a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), {}, "is an Excel workbook"),
    ("semicolons", "a.csv", b"key;size\na.mp4;1\n", {}, "separated by ';'"),
    ("tabs", "a.csv", b"key\tsize\na.mp4\t1\n", {}, "save the file with commas"),
    ("no header line", "a.csv", b"a.mp4,1\nb.mp4,2\n", {}, "write a header line above it"),
    ("a zip archive", "a.jsonl", workbook(), {}, "unpack it"),
    ("xz without the name", "a.csv", lzma.compress(CSV), {}, "compressed with xz"),
    ("Parquet called CSV", "a.csv", b"PAR1" + bytes(8), {}, "format: parquet"),
    ("UTF-16 of Excel", "a.csv", "key\na.mp4\n".encode("utf-16"), {}, "is UTF-16"),
    ("a column that is used, twice", "a.csv", b"key,size,size\na.mp4,1,2\n", {}, "names the column 'size' twice"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "settings", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_file_that_is_not_what_its_name_says_ends_the_plan(
    shell: Shell, name: str, content: bytes, settings: dict[str, Any], says: str
) -> None:
    done = planned(shell, name, content, settings)
    assert (done.returncode, says in done.stderr) == (2, True), done
    assert "Traceback" not in done.stderr


READ: list[tuple[str, str, bytes, dict[str, Any], dict[str, Any]]] = [
    # the numbers of the plan that matter: to send, failing by code, left out by reason
    ("gzip without the name", "a.csv", gzip.compress(b"key\na.mp4\n"), {}, {"to_send": 1}),
    ("empty columns of Excel", "a.csv", b"key,size,,\na.mp4,1,,\nb.mp4,2\n", {}, {"to_send": 2}),
    ("cells beyond the last column", "a.csv", b"key,size\na.mp4,1,,\n", {}, {"to_send": 1}),
    ("a column that nobody uses, twice", "a.csv", b"key,note,note\na.mp4,x,y\n", {}, {"to_send": 1}),
    ("a size of pandas", "a.csv", b"key,size\na.mp4,5.0\nb.mp4,\n", {}, {"to_send": 2}),
    ("half a byte", "a.csv", b"key,size\na.mp4,5.5\n", {}, {"failing": {"row_value": 1}}),
    ("rows of GBK", "a.csv", b"key\n" + "节目.mp4\n电影.mp4\n".encode("gbk"), {}, {"left_out": {"row_encoding": 2}}),
    ("nanoseconds of Parquet", "a.parquet", table(key=["a.mp4"], at=nanoseconds(1714564800123456789)), {}, {"to_send": 1}),
    ("NaN that nobody uses", "a.parquet", table(key=["a.mp4"], rating=[float("nan")]), {}, {"to_send": 1}),
    ("a list for a title", "a.jsonl", b'{"key": "a.mp4", "t": ["x"]}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("an object for a title", "a.jsonl", b'{"key": "a.mp4", "t": {"x": 1}}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("true for a title", "a.jsonl", b'{"key": "a.mp4", "t": true}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("a list of tags", "a.jsonl", b'{"key": "a.mp4", "t": ["x", "y"]}', {"columns": {"tags": "t"}}, {"to_send": 1}),
    ("NULL for a key", "a.csv", b"key,x\nNULL,1\na.mp4,2\n", {}, {"to_send": 1, "left_out": {"row_no_key": 1}}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "settings", "numbers"), [case[1:] for case in READ], ids=[case[0] for case in READ]
)
def test_what_two_programs_write_differently_is_read_as_the_same(
    shell: Shell, name: str, content: bytes, settings: dict[str, Any], numbers: dict[str, Any]
) -> None:
    done = planned(shell, name, content, settings, "--json")
    assert done.returncode == 0, done
    assert numbers_of(json.loads(done.stdout)) == {"to_send": 0, "failing": {}, "left_out": {}, **numbers}


@pytest.mark.parametrize("text", ["\\N", "NULL", "null", "nan", "NaN", "None", "#N/A", " NULL "])
def test_a_text_that_means_nothing_is_no_title(shell: Shell, sandbox: Sandbox, text: str) -> None:
    sandbox.put(BUCKET, "film.mp4")
    name, content = "a.jsonl", json.dumps({"key": "film.mp4", "t": text}).encode()
    done = shell.run("run", manifest(shell, name, content, {"columns": {"title": "t"}}))
    assert done.returncode == 0, done
    assert sandbox.truth(BUCKET)["film.mp4"].title == "film"


def test_null_values_can_be_switched_off(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "film.mp4")
    settings = {"columns": {"title": "t"}, "null_values": []}
    assert shell.run("run", manifest(shell, "a.csv", b"key,t\nfilm.mp4,NULL\n", settings)).returncode == 0
    assert sandbox.truth(BUCKET)["film.mp4"].title == "NULL"


def test_a_list_has_one_level_of_a_category_an_element(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.put(BUCKET, "film.mp4")
    file = manifest(
        shell,
        "a.jsonl",
        b'{"key": "film.mp4", "c": ["Shows", "Old"]}',
        {"columns": {"category": "c"}},
        categories="create",
    )
    assert shell.run("run", file).returncode == 0
    assert sandbox.truth(BUCKET)["film.mp4"].cate_id is not None


@pytest.mark.parametrize("key", ["tail.mp4 ", "zero\u200bwidth.txt", "line\nfeed.txt", " lead.txt"])
def test_a_key_with_a_sign_that_nobody_sees_is_quoted_where_it_is_shown(shell: Shell, key: str) -> None:
    done = planned(shell, "a.jsonl", json.dumps({"key": key}).encode(), {}, "--json")
    shown = '"' + "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in key) + '"'
    assert json.dumps(shown, ensure_ascii=False) in done.stdout, done


def manifest(shell: Shell, name: str, content: bytes, settings: dict[str, Any], **describe: Any) -> str:
    path = shell.folder / name
    path.write_bytes(content)
    source = {"bucket": BUCKET, "manifest": {"location": str(path), **settings}}
    return str(shell.file({**MIGRATION, "source": source, "describe": describe}))


def planned(shell: Shell, name: str, content: bytes, settings: dict[str, Any], *options: str) -> Any:
    return shell.run("plan", manifest(shell, name, content, settings), *options)


def numbers_of(plan: dict[str, Any]) -> dict[str, Any]:
    return {
        "to_send": plan["to_send"],
        "failing": {group["code"]: group["count"] for group in plan["failing"]},
        "left_out": {group["reason"]: group["count"] for group in plan["left_out"]},
    }
