"""Times as lists write them: one without an offset is in the migration's time zone, as in `select`."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from shell import BUCKET, MIGRATION, Shell


def parquet(moment: dt.datetime) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - an optional extra
    import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra

    written = io.BytesIO()
    pq.write_table(pa.table({"key": ["a.mp4"], "last_modified": [moment]}), written)
    return written.getvalue()


def csv(text: str) -> tuple[str, bytes]:
    return "a.csv", f"key,last_modified\na.mp4,{text}\n".encode()


LISTS: list[tuple[str, tuple[str, bytes], str, str]] = [
    # the file, the migration's time zone, and the moment in UTC that its row means
    ("no offset", csv("2024-05-01 20:00:00"), "Asia/Shanghai", "2024-05-01T12:00:00Z"),
    ("no seconds", csv("2024-05-01T20:00"), "Asia/Shanghai", "2024-05-01T12:00:00Z"),
    ("a date", csv("2024-05-02"), "Asia/Shanghai", "2024-05-01T16:00:00Z"),
    ("summer time", csv("2024-07-01 20:00:00"), "America/New_York", "2024-07-02T00:00:00Z"),
    ("winter time", csv("2024-01-01 20:00:00"), "America/New_York", "2024-01-02T01:00:00Z"),
    ("JSON", ("a.jsonl", b'{"key": "a.mp4", "last_modified": "2024-05-01 20:00:00"}'), "Asia/Shanghai", "2024-05-01T12:00:00Z"),
    ("Parquet", ("a.parquet", parquet(dt.datetime(2024, 5, 1, 20))), "Asia/Shanghai", "2024-05-01T12:00:00Z"),  # noqa: DTZ001 - the case
    # Right before, too: what no cure may break.
    ("an offset", csv("2024-05-01 20:00:00+02:00"), "Asia/Shanghai", "2024-05-01T18:00:00Z"),
    ("UTC", csv("2024-05-01T20:00:00Z"), "Asia/Shanghai", "2024-05-01T20:00:00Z"),
    ("Unix seconds", csv("1714564800"), "Asia/Shanghai", "2024-05-01T12:00:00Z"),
    ("Parquet in UTC", ("a.parquet", parquet(dt.datetime(2024, 5, 1, 20, tzinfo=dt.UTC))), "Asia/Shanghai", "2024-05-01T20:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("list_", "zone", "moment"), [case[1:] for case in LISTS], ids=[case[0] for case in LISTS])
def test_a_time_without_an_offset_is_in_the_zone_of_the_migration(
    shell: Shell, list_: tuple[str, bytes], zone: str, moment: str
) -> None:
    then = dt.datetime.fromisoformat(moment)
    for first, taken in ((then, 1), (then + dt.timedelta(seconds=1), 0)):
        assert planned(shell, list_, zone, modified_after=first.isoformat())["to_send"] == taken


# Right before, too: what no cure may break.
def test_the_same_text_is_the_same_moment_in_the_list_and_in_the_selection(shell: Shell) -> None:
    told = "2024-05-01T20:00:00"
    assert planned(shell, csv(told), "Asia/Shanghai", modified_after=told)["to_send"] == 1
    assert planned(shell, csv(told), "Asia/Shanghai", modified_before=told)["to_send"] == 0


NO_TIMES = [
    "0001-01-01 00:00:00",
    "9999-12-31T23:59:59-01:00",
    # Right before, too: what no cure may break.
    "01/05/2024",
    "2024-05-01 25:00",
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_a_time_that_no_calendar_has_fails_its_row_alone(shell: Shell, text: str) -> None:
    plan = planned(shell, csv(text), "Asia/Shanghai")
    assert [(group["code"], group["count"]) for group in plan["failing"]] == [("row_value", 1)]


def planned(shell: Shell, list_: tuple[str, bytes], zone: str, **select: str) -> Any:
    name, content = list_
    path = shell.folder / name
    path.write_bytes(content)
    source = {"bucket": BUCKET, "manifest": {"location": str(path)}}
    done = shell.run(
        "plan", str(shell.file({**MIGRATION, "source": source, "timezone": zone, "select": select})), "--json"
    )
    assert done.returncode == 0, done
    return json.loads(done.stdout)
