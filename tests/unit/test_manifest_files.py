"""Manifests as people write them: what each mistake becomes, with its place, the value and the fix."""

from __future__ import annotations

import datetime as dt
import gzip
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vod_migrate.cloud.connection import Connection, connection_from_fields
from vod_migrate.discover.manifest import manifest_pages
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.streams import Streams
from vod_migrate.errors import ManifestBroken
from vod_migrate.migration.source import Manifest

BUCKET = "media-archive"
PUBLIC = "https://media-archive.oss-cn-shanghai.aliyuncs.com"
LONG = "x" * 1_020 + ".mp4"


@pytest.fixture
def connection() -> Connection:
    fields = {"access_key_id": "id", "access_key_secret": "secret", "region": "cn-shanghai"}
    return connection_from_fields({**fields, "oss_endpoint": "http://127.0.0.1:9"}, origin="test")


def read(connection: Connection, path: Path, *, streams: Streams | None = None, **manifest: Any) -> list[ListedPage]:
    return list(manifest_pages(connection, BUCKET, Manifest(location=str(path), **manifest), streams=streams))


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


ROWS = [
    # name of the file, its content, settings, code, what the message says, the key under which it fails ('' where it has none)
    ("a.csv", "key,x\n,1\n", {}, "row_no_key", "line 2 has no value in the column 'key'", ""),
    ("a.csv", "key,x\na.mp4\n", {}, "row_columns", "line 2 has 1 cells, the header has 2", "a.mp4"),
    ("a.csv", "key,x\na.mp4,1,2\n", {}, "row_columns", "3 cells, the header has 2: quote cells", "a.mp4"),
    (
        "a.csv",
        b"key\n\xff\xfe.mp4\n",
        {},
        "row_encoding",
        "line 2 has the key '\\xff\\xfe.mp4', which is not UTF-8",
        "",
    ),
    ("a.csv", b"key,x\na.mp4,\xff\n", {}, "row_encoding", "in the column 'x' that are not text", "a.mp4"),
    ("a.csv", "key,x\na.mp4,\x00\n", {}, "row_encoding", "column 'x'", "a.mp4"),
    ("a.csv", 'key,x\n"a"b.mp4,1\n', {}, "row_unreadable", "double the quotes", ""),
    ("a.csv", "key\noss://other/a.mp4\n", {}, "row_other_bucket", "which is in bucket 'other'", "oss://other/a.mp4"),
    ("a.csv", "key\noss://media-archive/\n", {}, "row_key", "a bucket without a key", "oss://media-archive/"),
    ("a.csv", "key\nhttps://other.oss-cn-shanghai.aliyuncs.com/a.mp4\n", {}, "row_other_bucket", "'other'", None),
    ("a.csv", "key\nhttps://cdn.example.com/a.mp4\n", {}, "row_other_bucket", "'cdn.example.com'", None),
    ("a.csv", "key\nhttp://[broken/a.mp4\n", {}, "row_key", "is not a valid URL", None),
    ("a.csv", f"key\n{PUBLIC}/%zz.mp4\n", {}, "row_encoding", "'%zz', which is not URL encoding", None),
    ("a.csv", f"key\n{PUBLIC}/%ff.mp4\n", {}, "row_encoding", "does not decode to UTF-8", None),
    ("a.csv", "key\n50%.mp4\n", {"key_encoding": "url"}, "row_encoding", "or set key_encoding: plain", "50%.mp4"),
    ("a.csv", "key\na%00.mp4\n", {"key_encoding": "url"}, "row_encoding", "decodes to a NUL", "a%00.mp4"),
    ("a.csv", "key\n/a.mp4\n", {}, "row_key", "no key begins with '/': remove it", "/a.mp4"),
    ("a.csv", f"key\n{LONG}\n", {}, "row_key", "1,024 bytes: OSS keys have at most 1,023", None),
    ("a.csv", "key,size\na.mp4,-1\n", {}, "row_value", "has the size '-1'", "a.mp4"),
    ("a.csv", "key,size\na.mp4,1 GB\n", {}, "row_value", "write whole bytes, or nothing", "a.mp4"),
    ("a.csv", "key,bytes\na.mp4,1.5\n", {"columns": {"size": "bytes"}}, "row_value", "has the size '1.5'", "a.mp4"),
    ("a.csv", "key,last_modified\na.mp4,1.5.2024\n", {}, "row_value", "write ISO 8601", "a.mp4"),
    ("a.csv", "key,last_modified\na.mp4,2024-02-30\n", {}, "row_value", "has the time '2024-02-30'", "a.mp4"),
    ("a.jsonl", '{"key": "z.mp4"}\n{"key": "a.mp4"\n', {}, "row_unreadable", "line 2 is not JSON", ""),
    ("a.jsonl", '{"key": "z.mp4"}\n["a.mp4"]\n', {}, "row_unreadable", "is a JSON list, not an object", ""),
    ("a.jsonl", '{"key": "z.mp4"}\n' + "[" * 100_000 + "\n", {}, "row_unreadable", "is not JSON", ""),
    ("a.jsonl", '{"key": "z.mp4"}\n{"key": "a.mp4", "key": "b.mp4"}\n', {}, "row_unreadable", "names 'key' twice", ""),
    (
        "a.jsonl",
        '{"key": "b.mp4"}\n{"kee": "a.mp4"}\n',
        {},
        "row_no_key",
        "line 2 has no value in the column 'key'",
        "",
    ),
    ("a.jsonl", '{"key": 7}\n', {}, "row_key", "has the key 7, which is not text", "7"),
    ("a.jsonl", '{"key": "a\\ud800.mp4"}\n', {}, "row_encoding", "not UTF-8", ""),
    ("a.jsonl", '{"key": "a.mp4", "x": {"y": "\\u0000"}}\n', {}, "row_encoding", "column 'x'", "a.mp4"),
    ("a.jsonl", '{"key": "a.mp4", "size": true}\n', {}, "row_value", "has the size 'True'", "a.mp4"),
    ("a.jsonl", '{"key": "a.mp4", "size": 1e400}\n', {}, "row_value", "has the size 'inf'", "a.mp4"),
]


@pytest.mark.parametrize(("name", "content", "settings", "code", "says", "key"), ROWS)
def test_a_broken_row_is_named_and_does_not_stop_the_next(
    connection: Connection,
    tmp_path: Path,
    name: str,
    content: str | bytes,
    settings: Mapping[str, Any],
    code: str,
    says: str,
    key: str | None,
) -> None:
    path = written(tmp_path, name, content)
    (page,) = read(connection, path, **settings)
    if key == "":
        assert (page.broken, page.left_out) == ((), {code: 1})
        (message,) = page.samples[code]
    else:
        (broken,) = page.broken
        assert broken.code == code
        assert key is None or broken.key == key
        message = broken.message
    assert says in message
    assert message.startswith("line")


FILES = [
    ("a.csv", 'key,x\n"a.mp4,1\nb.mp4,2\n', {}, "a quote that is opened in line 2 is not closed where its cell ends"),
    ("a.csv", "", {}, "is empty: its first line must name the columns"),
    ("a.csv", "kee,x\na,1\n", {}, "line 1 has no column 'key'; did you mean 'kee'?"),
    ("a.csv", "title,x\na,1\n", {}, "there are 'title', 'x'"),
    ("a.csv", "key,key\na,b\n", {}, "names the column 'key' twice"),
    ("a.csv", "key\na.mp4\n", {"columns": {"title": "Titel"}}, "no column 'Titel'"),
    ("a.csv", '"key\na.mp4\n', {}, "the header, cannot be read"),
    ("a.csv", "key\n".encode("utf-16"), {}, "is UTF-16: save it as UTF-8"),
    *(
        ("a.csv", magic + bytes(8), {}, says)
        for magic, says in [
            (b"BZh9", "compressed with bzip2"),
            (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
            (b"7z\xbc\xaf", "is a 7z archive"),
            (b"%PDF-1.7", "is a PDF document"),
            (b"ORC", "is an ORC file"),
            (b"Obj\x01", "is an Avro file"),
        ]
    ),
    ("a.csv", "key\n" + "x" * 2_000_000, {}, "line 2 is longer than"),
    ("a.csv.gz", gzip.compress(b"key\n" + bytes(range(97, 123)) * 9_000)[:-6], {}, r"after line \d"),
    ("a.csv.gz", gzip.compress(b"key\na.mp4\n" * 9_000)[:-4], {}, r"is cut off after line [\d,]+"),
    ("a.csv.gz", gzip.compress(b"key\na.mp4\n", mtime=0)[:-8] + b"\x00" * 8, {}, "is cut off after line 2"),
    ("a.csv.gz", b"key\na.mp4\n", {}, "has the extension .gz, but is not a gzip file"),
    ("a.jsonl", '{"kee": "a.mp4"}\n', {}, "line 1 has no column 'key'; did you mean 'kee'?"),
    ("a.jsonl.gz", gzip.compress(b'{"key": "a.mp4"}\n' * 9_000)[:-4], {}, "is cut off after line"),
]


@pytest.mark.parametrize(("name", "content", "settings", "says"), FILES)
def test_a_manifest_that_cannot_be_trusted_as_a_whole_ends_the_scan(
    connection: Connection, tmp_path: Path, name: str, content: str | bytes, settings: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(ManifestBroken, match=says) as caught:
        read(connection, written(tmp_path, name, content), **settings)
    assert name in str(caught.value)


def test_a_manifest_that_is_not_there_or_a_folder_is_named(connection: Connection, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ManifestBroken, match=r"cannot be read: (No such file|Is a directory)"):
            read(connection, path, format="csv")


@pytest.mark.parametrize(
    ("told", "settings", "key"),
    [
        ("a b+c%20.mp4", {}, "a b+c%20.mp4"),
        ("a%20b+c.mp4", {"key_encoding": "url"}, "a b+c.mp4"),
        ("a%20b+c%2B.mp4", {"key_encoding": "form"}, "a b c+.mp4"),
        ("oss://media-archive/节目/a.mp4", {}, "节目/a.mp4"),
        (f"{PUBLIC}/%E8%8A%82/a%2Bb.mp4?Expires=1#x", {}, "节/a+b.mp4"),
        ("http://media-archive.oss-cn-shanghai-internal.aliyuncs.com/a//b.mp4", {}, "a//b.mp4"),
        ("HTTPS://media-archive.oss-cn-shanghai.aliyuncs.com/a.mp4", {}, "a.mp4"),
    ],
)
def test_a_key_is_read_from_a_bare_key_or_an_address(
    connection: Connection, tmp_path: Path, told: str, settings: Mapping[str, Any], key: str
) -> None:
    (page,) = read(connection, written(tmp_path, "a.csv", f"\ufeffkey\r\n{told}\r\n"), **settings)
    assert [found.key for found in page.objects] == [key]


def test_facts_and_columns_of_a_row_go_with_its_object(connection: Connection, tmp_path: Path) -> None:
    content = 'file,bytes,etag,last_modified,storage_class,Title,note\na.mp4,7,"""E""",2024-05-01T12:00:00+08:00,IA,T,"x, y\nz"\n'
    columns = {"size": "bytes", "title": "Title"}
    (page,) = read(connection, written(tmp_path, "a.csv", content), key_column="file", columns=columns)
    (found,) = page.objects
    assert (found.size, found.etag, found.storage_class) == (7, "E", "IA")
    assert found.last_modified == dt.datetime(2024, 5, 1, 4, tzinfo=dt.UTC)
    assert found.row == {"title": "T", "note": "x, y\nz"}


def test_an_empty_manifest_is_complete_and_pages_hold_1_000_rows(connection: Connection, tmp_path: Path) -> None:
    (page,) = read(connection, written(tmp_path, "a.csv", "key\n"))
    assert (page.objects, page.cursor) == ((), None)
    pages = read(connection, written(tmp_path, "b.csv", "key\n" + "".join(f"{n}.mp4\n" for n in range(2_000))))
    assert [(len(page.objects), page.cursor is None) for page in pages] == [(1_000, False), (1_000, True)]


def test_segments_are_known_wherever_their_playlist_stands_in_an_unsorted_manifest(
    connection: Connection, tmp_path: Path
) -> None:
    names = ["b/1.ts", "a/1.ts", *(f"x/{n}.mp4" for n in range(1_500)), "a/z.m3u8"]
    content = "key\n" + "".join(f"{name}\n" for name in names)
    streams = Streams(read=lambda _: None)
    pages = read(connection, written(tmp_path, "a.csv", content), streams=streams)
    assert [key for page in pages for key in page.parts] == ["a/1.ts"]


def test_parquet_without_pyarrow_says_how_to_install_it(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestBroken, match=r"pip install 'vod-migrate\[parquet\]'"):
        read(connection, written(tmp_path, "a.parquet", b"PAR1"))


def test_a_parquet_manifest_is_read_by_column_and_its_faults_are_named(connection: Connection, tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 - an optional extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra

    moment = dt.datetime(2024, 5, 1, 4, tzinfo=dt.UTC)
    columns = {
        "key": ["a.mp4", None, "b.mp4"],
        "size": [7, 8, -1],
        "last_modified": [moment, None, None],
        "tags": [["x", "y"], None, None],
    }
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    (page,) = read(connection, path)
    (found,) = page.objects
    assert (found.key, found.size, found.last_modified, found.row) == ("a.mp4", 7, moment, {"tags": ["x", "y"]})
    assert [broken.message for broken in page.broken] == ["row 3 has the size '-1': write whole bytes, or nothing"]
    assert page.left_out == {"row_no_key": 1}
    with pytest.raises(ManifestBroken, match="the schema has no column 'kee'; did you mean 'key'"):
        read(connection, path, key_column="kee")
    with pytest.raises(ManifestBroken, match="cannot be read as Parquet"):
        read(connection, written(tmp_path, "b.parquet", path.read_bytes()[:-9]))
