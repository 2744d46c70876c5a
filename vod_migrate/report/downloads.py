"""Tables as streams of bytes for a browser to save: bounded, and never whole in memory.

The caller checks that the run may be read (`browse.runs.readable_run`); a search is narrowed here, like every search.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

from vod_migrate.errors import BadSetting
from vod_migrate.report.browse.access import Readable
from vod_migrate.report.browse.objects import walk_objects
from vod_migrate.report.browse.search import Search
from vod_migrate.report.files import file_stem
from vod_migrate.report.tables import MappingScope, failure_rows, mapping_rows
from vod_migrate.results.csv_tables import CUT, FAILURE_COLUMNS, MAPPING_COLUMNS, SEARCH_COLUMNS, csv_line
from vod_migrate.results.store import Store

MOST_ROWS = 1_000_000
"""As many as a spreadsheet can open (1,048,576 rows); the command line writes tables of any length."""

_MARK = "\ufeff".encode()
_CHUNK_CHARACTERS = 64_000
_ROWS_A_GROUP = 50_000


def failures_csv(store: Store, run_id: str, *, most: int = MOST_ROWS) -> Iterator[bytes]:
    """The failures of a run as CSV, as `tables.write_failures` writes them; a last line says where more were left out."""
    return _csv(FAILURE_COLUMNS, failure_rows(store, run_id), most=most, rest=_whole(run_id))


def mapping_csv(store: Store, run_id: str, *, scope: MappingScope = "run", most: int = MOST_ROWS) -> Iterator[bytes]:
    """Object → MediaId as CSV, as `tables.write_mapping` writes it; a last line says where more were left out."""
    return _csv(MAPPING_COLUMNS, mapping_rows(store, run_id, scope=scope), most=most, rest=_whole(run_id))


def objects_csv(store: Store, search: Search, *, readable: Readable, most: int = MOST_ROWS) -> Iterator[bytes]:
    """The objects of a search as CSV, in the order of its pages; a last line says where more were left out."""
    rows = (
        (
            line.account, line.migration, line.bucket, line.key, line.state, line.code, line.media_id, line.size,
            line.updated.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        for line in walk_objects(store, search, readable=readable, most=most + 1)
    )  # fmt: skip
    return _csv(SEARCH_COLUMNS, rows, most=most, rest="narrow the search to get the others")


def mapping_parquet(
    store: Store, run_id: str, *, scope: MappingScope = "run", most: int = MOST_ROWS
) -> Iterator[bytes]:
    """Object → MediaId as Parquet: texts exactly as they are, sizes as integers, times as UTC timestamps.

    A table that was cut has `vod_migrate.cut` in the file's metadata.
    """
    if not parquet_installed():
        raise BadSetting("Parquet needs pyarrow on Airflow's API server: pip install 'vod-migrate[parquet]'")
    return _parquet(mapping_rows(store, run_id, scope=scope), most=most)


def parquet_installed() -> bool:
    """Whether Parquet can be written here."""
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra, and slow
    except ImportError:
        return False
    return True


def attachment(run_id: str, suffix: str) -> str:
    """The Content-Disposition of a download named after a run (or a search): safe in a header and in every file system (RFC 6266)."""
    return f"attachment; filename=\"{file_stem(run_id)}.{suffix}\"; filename*=UTF-8''{quote(_readable_name(run_id), safe='')}.{suffix}"


def _readable_name(name: str) -> str:
    # What a file name cannot have, here or on Windows, and what would turn or hide a part of it.
    kept = "".join("_" if not one.isprintable() or one in '\\/:*?"<>|' else one for one in name)
    return kept.lstrip(".")[:100] or "table"


def _whole(run_id: str) -> str:
    return f"`vod-migrate report {run_id} --output DIRECTORY` writes all of them"


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, most: int, rest: str) -> Iterator[bytes]:
    yield _MARK + csv_line(columns).encode()
    waiting = io.StringIO()
    further = iter(rows)
    for row in islice(further, most):
        waiting.write(csv_line(row))
        if waiting.tell() >= _CHUNK_CHARACTERS:
            yield waiting.getvalue().encode()
            waiting = io.StringIO()
    if next(further, None) is not None:
        waiting.write(csv_line([f"{CUT}{most:,} rows; {rest}"]))
    yield waiting.getvalue().encode()


def _parquet(rows: Iterable[Sequence[Any]], *, most: int) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra, and slow

    types = {"new_register": pa.bool_(), "size": pa.int64(), "registered_at": pa.timestamp("s", tz="UTC")}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in MAPPING_COLUMNS])
    written = _Written()
    further = iter(rows)
    left = most
    with pq.ParquetWriter(pa.PythonFile(written, mode="w"), schema, compression="zstd") as writer:
        while group := [_typed(row) for row in islice(further, min(left, _ROWS_A_GROUP))]:
            left -= len(group)
            columns = [
                pa.array(column, field.type) for column, field in zip(zip(*group, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            yield written.taken()
        if not left and next(further, None) is not None:
            writer.add_key_value_metadata({"vod_migrate.cut": f"after {most} rows"})
    yield written.taken()


def _typed(row: Sequence[Any]) -> tuple[Any, ...]:
    cells = dict(zip(MAPPING_COLUMNS, row, strict=True))
    if cells["new_register"] is not None:
        cells["new_register"] = cells["new_register"] == "true"
    if cells["registered_at"] is not None:
        cells["registered_at"] = dt.datetime.fromisoformat(cells["registered_at"])
    return tuple(cells.values())


class _Written(io.RawIOBase):
    """A file that is only ever written, and whose bytes are taken away in between."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._length += len(part)
        return len(part)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
