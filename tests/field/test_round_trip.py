"""The tables that vod-migrate writes, given back to it as manifests: every key, title and empty cell as it was."""

from __future__ import annotations

import csv
import gzip
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from shell import BUCKET, MIGRATION, Shell

from vod_migrate.discover.download import SourceFile
from vod_migrate.discover.row import RowReader
from vod_migrate.discover.table import read_table
from vod_migrate.media import BrokenRow, MediaObject
from vod_migrate.results.csv_tables import FAILURE_COLUMNS, MAPPING_COLUMNS, SEARCH_COLUMNS, csv_line
from vod_migrate.sandbox.pytest_plugin import Sandbox

HOSTILE = [
    "=SUM(A1).mp4",
    "+1.mp4",
    "-1.mp4",
    "@sum(1+1).mp4",
    "\uff1dSUM(A1).mp4",
    "'=guarded once.mp4",
    "''=guarded twice.mp4",
    "'leading apostrophe.mp4",
    'a "quote", a comma; a semicolon.mp4',
    "two\nlines.mp4",
    "carriage\r\nreturn.mp4",
    "\ttab first.mp4",
    "\ufeffmark first.mp4",
    " space first.mp4",
    "space last/ .mp4",
    "emoji 🎬 节目.mp4",
    "oss://media-archive/inside.mp4",
    "https://media-archive.oss-cn-shanghai.aliyuncs.com/inside.mp4",
    "100%25.mp4",
    "# cut after.mp4",
]


@pytest.mark.parametrize(
    ("table", "keys"), [("failures", HOSTILE[:10]), ("failures", HOSTILE[10:]), ("mapping", HOSTILE)]
)
def test_a_table_of_a_run_is_a_manifest_of_the_same_objects(
    shell: Shell, sandbox: Sandbox, table: str, keys: list[str]
) -> None:
    for key in keys:
        sandbox.put(BUCKET, key)
    if table == "failures":
        sandbox.fault("fail_files")
    shell.run("run", str(shell.file()), "--report-dir", str(shell.folder))
    sandbox.clear_faults()
    (written,) = shell.folder.glob(f"*.{table}.csv")

    source = {"bucket": BUCKET, "manifest": {"location": str(written), "key_encoding": "url", "check": "head"}}
    again = str(shell.file({**MIGRATION, "source": source}))
    done = shell.run("run", again, "--mode", "all", "--json")
    assert done.returncode == 0, done
    calls = 1 if table == "failures" else 2
    assert {key: one.registrations for key, one in sandbox.truth(BUCKET).items()} == dict.fromkeys(keys, calls)


def read_back(text: str, *, name: str = "a.csv") -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        written = text.encode("utf-8-sig")
        path.write_bytes(gzip.compress(written) if name.endswith(".gz") else written)
        reader = RowReader(bucket=BUCKET, key_encoding="form", columns={"key": "key"}, nulls=frozenset({"NULL", ""}))
        source = SourceFile(path=path, version="1", name=name)
        return [reader.read(row) for row in read_table(source, "csv", ["key"])]


KEYS = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80)
STARTS = some.sampled_from(["", "'", "=", "'=", "+", "-", "@", "\t", "\r\n", "\n", '"', "\ufeff", " ", "NULL"])


@settings(max_examples=200, deadline=None)
@given(
    some.sampled_from([FAILURE_COLUMNS, MAPPING_COLUMNS, SEARCH_COLUMNS]),
    some.lists(some.tuples(STARTS, KEYS, STARTS).map("".join).filter(lambda key: key[0] not in "/\\"), min_size=1),
)
def test_any_key_comes_back_from_any_of_our_tables(columns: Sequence[str], keys: list[str]) -> None:
    lines = [csv_line(columns)]
    for key in keys:
        cells = dict.fromkeys(columns) | {"bucket": BUCKET, "key": key, "code": "file_refused", "size": 5}
        lines.append(csv_line([cells[column] for column in columns]))
    found = read_back("".join(lines))
    assert [one.key for one in found] == keys
    assert all(type(one) is MediaObject for one in found)


OWN = csv_line(FAILURE_COLUMNS)
ROWS: list[tuple[str, str, str, str]] = [
    # what it is, the file's text, and what becomes of its only row: a key, or a code and words of its message
    ("columns that somebody added", OWN.replace("\r\n", ",note\r\n") + f'{BUCKET},"\'=a.mp4",{"," * 8},"\'=b"\r\n', "=a.mp4", ""),
    ("saved by Excel, without quotes", f"{','.join(FAILURE_COLUMNS)}\r\n{BUCKET},'=a.mp4{',' * 9}\r\n", "=a.mp4", ""),
    ("another bucket", OWN + csv_line(["other", "a.mp4", *[""] * 9]), "row_other_bucket", "in bucket 'other'"),
    ("a row that named no object", OWN + csv_line([BUCKET, "oss://other/a.mp4", "row_other_bucket", *[""] * 8]), "row_other_bucket", "'other'"),
    ("a table of somebody else", f"bucket,key\r\n{BUCKET},'=a.mp4\r\n", "'=a.mp4", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told", "says"), [case[1:] for case in ROWS], ids=[case[0] for case in ROWS])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_our_tables_are_known_by_their_header_line(name: str, text: str, told: str, says: str) -> None:
    (one,) = read_back(text, name=name)
    assert (one.code if isinstance(one, BrokenRow) else one.key) == told
    assert says in getattr(one, "message", "")


def test_a_table_that_was_cut_is_no_manifest(shell: Shell) -> None:
    path = shell.folder / "cut.csv"
    path.write_text(
        OWN + csv_line(["# cut after 1,000,000 rows; `vod-migrate report run-1 --output DIRECTORY` writes all"])
    )
    source = {"bucket": BUCKET, "manifest": {"location": str(path)}}
    done = shell.run("plan", str(shell.file({**MIGRATION, "source": source})))
    assert (done.returncode, "line 2 says that rows are missing: cut after 1,000,000" in done.stderr) == (2, True), done


def test_the_tables_stay_what_a_spreadsheet_may_open() -> None:
    cells = next(csv.reader([csv_line(HOSTILE[:7])]))
    assert [cell[0] for cell in cells] == ["'"] * 7
