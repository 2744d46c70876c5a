"""Tables as streams of bytes: CSV, JSON Lines and Parquet, a group of rows at a time, never whole in memory.

What the columns hold is the same in each of them, and the source of the page in the reference.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from vod_migrate.errors import BadSetting
from vod_migrate.migration.export import TableFormat
from vod_migrate.results.csv_tables import CUT, csv_line, guarded

Kind = Literal["text", "integer", "boolean", "time"]

KINDS: dict[str, Kind] = {
    "new_register": "boolean",
    "size": "integer",
    "attempts": "integer",
    "last_modified": "time",
    "settled_at": "time",
    "registered_at": "time",
    "updated_at": "time",
}
"""The columns of our tables that are not text."""

IN_FORMATS: dict[Kind, tuple[str, str, str]] = {
    "text": ("quoted, guarded against formulas", "string", "string"),
    "integer": ("digits", "number", "int64"),
    "boolean": ("`true`, `false`", "`true`, `false`", "bool"),
    "time": ("`2026-11-21T17:00:00Z`", "the same as a string", "timestamp[ms], UTC"),
}
"""How each kind is written in CSV, JSON Lines and Parquet."""

RESULT_MEANINGS = {
    "bucket": ("The bucket of the object.", ""),
    "key": ("The key of the object, exactly as OSS has it. `bucket` and `key` together are unique.", ""),
    "state": ("`registered`; `failed`; or `gone`: registered once, but no longer in the bucket or manifest.", ""),
    "media_id": ("The MediaId in VOD.", "failed"),
    "new_register": (
        "Whether the file was new to VOD; `false` if VOD had it before.",
        "failed, or not reported by VOD",
    ),
    "title": ("The Title as it was sent.", "no call was made for the object"),
    "code": ("Why it failed: VOD's code, or ours in lower case (see [the codes](reports.md#the-codes)).", "not failed"),
    "message": ("The message of VOD or vod-migrate about the failure.", "not failed, or without a message"),
    "size": ("Bytes.", "not given in the manifest"),
    "etag": ("The ETag when the object was sent, without quotes.", "not given in the manifest"),
    "storage_class": ("`Standard`, `IA`, …", "not given in the manifest"),
    "last_modified": ("When the object was last changed, to the second.", "not given in the manifest"),
    "settled_at": ("When the outcome was recorded, to the second.", ""),
    "run_id": ("The run that recorded it.", ""),
    "same_as": (
        "The key of a registered object with the same size and ETag: the file was moved from there if the state of that key is `gone`, and is a copy otherwise.",
        "none was known when it was listed",
    ),
}
"""The columns of an export, in order of `RESULT_COLUMNS`: what the values mean, and when there is none, '' for never."""

_MARK = "\ufeff".encode()
_ROWS_A_CHUNK = 1_000
_ROWS_A_GROUP = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Columns and rows, read once. A row has a value for each column: text, int, bool, an aware datetime, or None.

    most: how many rows are written; rest: how to get the others, which the end of a CSV then says.
    """

    columns: tuple[str, ...]
    rows: Iterable[Sequence[Any]]
    most: int | None = None
    rest: str = ""


def encoded(table: Table, form: TableFormat) -> Iterator[bytes]:
    """The bytes of a table.

    Raises:
        BadSetting: Parquet cannot be written here.
    """
    if form is TableFormat.PARQUET:
        if not parquet_installed():
            raise BadSetting(
                "Parquet needs pyarrow, which is not installed here: pip install 'vod-migrate[parquet]', or choose csv or jsonl"
            )
        return _parquet(table)
    return _csv(table) if form is TableFormat.CSV else _jsonl(table)


def parquet_installed() -> bool:
    """Whether Parquet can be written here."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra, and slow
    except ImportError:
        return False
    return True


def _csv(table: Table) -> Iterator[bytes]:
    yield _MARK + csv_line(table.columns).encode()
    shown: dict[Kind, Callable[[Any], Any]] = {"text": guarded, "boolean": lambda yes: str(yes).lower(), "time": _time}
    ways = [shown.get(KINDS.get(column, "text"), int) for column in table.columns]
    for rows in _groups(table, _ROWS_A_CHUNK):
        chunk = io.StringIO()
        # Every text is quoted: a cell that a spreadsheet splits at ';' must not begin a formula in the middle.
        writer = csv.writer(chunk, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerows(
            [None if cell is None else way(cell) for way, cell in zip(ways, row, strict=True)] for row in rows
        )
        yield chunk.getvalue().encode()
    if _cut(table):
        yield csv_line([f"{CUT}{table.most:,} rows; {table.rest}"]).encode()


def _jsonl(table: Table) -> Iterator[bytes]:
    written = json.JSONEncoder(ensure_ascii=False, default=_time).encode
    for rows in _groups(table, _ROWS_A_CHUNK):
        lines = (written(dict(zip(table.columns, row, strict=True))) for row in rows)
        yield "".join(f"{line}\n" for line in lines).encode()


def _parquet(table: Table) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra, and slow

    types = {"text": pa.string(), "integer": pa.int64(), "boolean": pa.bool_(), "time": pa.timestamp("s", tz="UTC")}
    schema = pa.schema([(column, types[KINDS.get(column, "text")]) for column in table.columns])
    written = _Written()
    with pq.ParquetWriter(pa.PythonFile(written, mode="w"), schema, compression="zstd") as writer:
        for rows in _groups(table, _ROWS_A_GROUP):
            columns = [
                pa.array(column, field.type, safe=False)
                for column, field in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield written.taken()
        if _cut(table):
            writer.add_key_value_metadata({"vod_migrate.cut": f"after {table.most} rows"})
    yield written.taken()


def _groups(table: Table, size: int) -> Iterator[list[Sequence[Any]]]:
    rows = iter(table.rows if table.most is None else islice(table.rows, table.most))
    while group := list(islice(rows, size)):
        yield group


def _cut(table: Table) -> bool:
    """Whether rows are left of an iterator whose first `most` were written."""
    return table.most is not None and next(iter(table.rows), None) is not None


def _time(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class _Written(io.BytesIO):
    """A file whose bytes are taken away in between; its position counts them, too."""

    _gone = 0

    def tell(self) -> int:
        return self._gone + super().tell()

    def taken(self) -> bytes:
        """What was written since the last time."""
        content = self.getvalue()
        self._gone += len(content)
        self.seek(0)
        self.truncate()
        return content
