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
    ("a page instead of a file", "a.csv", b"\xef\xbb\xbf<!DOCTYPE html><title>Sign in</title>", {}, "is HTML or XML"),
    ("an archive with the list in it", "a.csv.gz", gzip.compress(bytes(257) + b"ustar" + bytes(512)), {}, "is a tar archive: unpack it"),
    ("a workbook, compressed", "a.csv.gz", gzip.compress(workbook()), {}, "is a workbook"),
    ("a text document", "a.csv", b"{\\rtf1 key", {}, "RTF"),
    ("an SQLite database", "a.csv", b"SQLite format 3\x00", {}, "export the table as CSV"),
    ("UTF-32", "a.csv", "key\na.mp4\n".encode("utf-32"), {}, "is UTF-32"),
    ("Excel's line about the separator", "a.csv", b"sep=,\nkey,size\na.mp4,1\n", {}, "remove the lines above the header"),
    ("empty lines above the header", "a.csv", b"\n\nkey,size\na.mp4,1\n", {}, "remove the lines above the header"),
    ("full-width commas", "a.csv", "key\uff0csize\na.mp4\uff0c1\n".encode(), {}, "separated by '\uff0c'"),
    # Right before, too: what no cure may break.
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
    ("empty columns of Excel", "a.csv", b"key,size,,\na.mp4,1,,\nb.mp4,2\n", {}, {"to_send": 2}),
    ("cells beyond the last column", "a.csv", b"key,size\na.mp4,1,,\n", {}, {"to_send": 1}),
    ("a column that nobody uses, twice", "a.csv", b"key,note,note\na.mp4,x,y\n", {}, {"to_send": 1}),
    ("a size of pandas", "a.csv", b"key,size\na.mp4,5.0\nb.mp4,\n", {}, {"to_send": 2}),
    ("rows of GBK", "a.csv", b"key\n" + "节目.mp4\n电影.mp4\n".encode("gbk"), {}, {"left_out": {"row_encoding": 2}}),
    ("nanoseconds of Parquet", "a.parquet", table(key=["a.mp4"], at=nanoseconds(1714564800123456789)), {}, {"to_send": 1}),
    ("NaN of Python's JSON", "a.jsonl", b'{"key": "a.mp4", "size": NaN, "rating": Infinity}', {}, {"to_send": 1}),
    ("half a pair of UTF-16", "a.jsonl", b'{"key": "\\ud83c.mp4"}', {}, {"left_out": {"row_encoding": 1}}),
    ("NaN that nobody uses", "a.parquet", table(key=["a.mp4"], rating=[float("nan")]), {}, {"to_send": 1}),
    ("a list for a title", "a.jsonl", b'{"key": "a.mp4", "t": ["x"]}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("an object for a title", "a.jsonl", b'{"key": "a.mp4", "t": {"x": 1}}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("true for a title", "a.jsonl", b'{"key": "a.mp4", "t": true}', {"columns": {"title": "t"}}, {"failing": {"row_value": 1}}),
    ("NULL for a key", "a.csv", b"key,x\nNULL,1\na.mp4,2\n", {}, {"to_send": 1, "left_out": {"row_no_key": 1}}),
    # Right before, too: what no cure may break.
    ("gzip without the name", "a.csv", gzip.compress(b"key\na.mp4\n"), {}, {"to_send": 1}),
    ("half a byte", "a.csv", b"key,size\na.mp4,5.5\n", {}, {"failing": {"row_value": 1}}),
    ("a list of tags", "a.jsonl", b'{"key": "a.mp4", "t": ["x", "y"]}', {"columns": {"tags": "t"}}, {"to_send": 1}),
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


# Right before, too: what no cure may break.
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


UNUSABLE: list[tuple[str, str, bytes, dict[str, Any], str]] = [
    ("other keys than those of the bucket", "a.csv", b"key\n\xff.mp4\n\xfe.mp4\n", {}, "row_encoding"),
    ("rows of another bucket", "a.csv", b"key\noss://other-bucket/a.mp4\noss://other-bucket/b.mp4\n", {}, "row_other_bucket"),
    ("no keys", "a.jsonl", b'{"key": ""}\n{"key": null}\n', {}, "row_no_key"),
    ("sizes that are no numbers", "a.csv", b"key,size\na.mp4,big\nb.mp4,small\n", {}, "row_value"),
    ("objects that do not exist", "a.csv", b"key\na.mp4\nb.mp4\n", {"check": "head"}, "row_no_object"),
    ("two reasons, and a row twice", "a.csv", b"key,size\na.mp4,big\na.mp4,big\n,1\n", {}, "row_no_key, row_value"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "settings", "says"), [case[1:] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE]
)
def test_a_run_of_which_every_row_is_unusable_is_no_success(
    shell: Shell, name: str, content: bytes, settings: dict[str, Any], says: str
) -> None:
    done = shell.run("run", manifest(shell, name, content, settings))
    codes = ", ".join(sorted(says.split(", ")))
    assert done.returncode == 2, done
    assert "can be used" in done.stderr
    assert all(code in done.stderr for code in codes.split(", "))


# Right before, too: what no cure may break.
@pytest.mark.parametrize("content", [b"key,size\na.mp4,big\nfilm.mp4,1\n", b"key\n", b"key\nnotes.txt\n"])
def test_one_row_that_can_be_used_or_no_row_at_all_is_a_success(shell: Shell, sandbox: Sandbox, content: bytes) -> None:
    sandbox.put(BUCKET, "film.mp4")
    assert shell.run("run", manifest(shell, "a.csv", content, {})).returncode == 0


REPEATED: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("one ReferenceId on many rows", b"key,r\na.mp4,asset-1\nb.mp4,asset-1\nc.mp4,asset-1\n", {"reference_id": "r"}, "1 ReferenceIds occur more than once, on 3 objects"),
    ("a column of constants", b"key,r\na.mp4,000000\nb.mp4,000000\n", {"reference_id": "r"}, "VOD accepts a ReferenceId for one media only"),
    # Right before, too: what no cure may break.
    ("one title on many rows", b"key,t\na.mp4,Untitled\nb.mp4,Untitled\nc.mp4,C\n", {"title": "t"}, "1 titles occur more than once, on 2 objects"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "columns", "says"), [case[1:] for case in REPEATED], ids=[case[0] for case in REPEATED]
)
def test_a_title_or_reference_that_many_rows_share_is_shown_before_the_run(
    shell: Shell, content: bytes, columns: dict[str, Any], says: str
) -> None:
    done = planned(shell, "a.csv", content, {"columns": columns})
    assert says in " ".join(done.stdout.split()), done


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
