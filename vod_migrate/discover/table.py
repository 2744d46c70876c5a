"""Rows of CSV, JSON Lines and Parquet, one after the other, each with its place in the file; memory stays flat.

A row that cannot be read does not stop the others. What makes the whole file doubtful (a missing column, a gzip that ends too early) ends
the reading with an error that names the line.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn

from vod_migrate.discover.download import BROKEN_GZIP, SourceFile, opened
from vod_migrate.errors import ManifestBroken
from vod_migrate.media import Rejected
from vod_migrate.migration.source import OBJECT_COLUMNS
from vod_migrate.results.csv_tables import CUT, own_columns, unguarded

_LONGEST_LINE = 1 << 20
_ONE_A_LINE = "write one object a line (`jq -c '.[]'` makes that of an array, `jq -c .` of objects over several lines)"
_KINDS = {list: "list", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_BATCH_ROWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row. where: its place as a person finds it ('line 18', 'row 17'); rejected: why it cannot be read.

    values: by column; of a row that cannot be read, what is readable of it.
    ours: whether it is of a table that vod-migrate wrote, where every cell means what it says.
    """

    where: str
    values: Mapping[str, Any] = field(default_factory=dict)
    rejected: Rejected | None = None
    ours: bool = False


def _unread(where: str, code: str, problem: str, values: Mapping[str, Any] | None = None) -> Row:
    return Row(where=where, values=values or {}, rejected=Rejected(code, f"{where} {problem}"))


def read_table(source: SourceFile, kind: str, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a manifest. kind: csv, jsonl or parquet; columns: those that must be there.

    Raises:
        ManifestBroken: a column is missing, or the file breaks off; names file and line.
    """
    if kind == "parquet":
        return _parquet(source, columns)
    if kind == "jsonl":
        return _jsonl(source, columns)
    return read_csv(source, columns=columns)


def read_csv(source: SourceFile, *, header: Sequence[str] | None = None, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV file (UTF-8, commas, double quotes). header: of a file that has none, as an inventory's.

    Raises:
        ManifestBroken: see read_table.
    """
    with opened(source) as file:
        lines = _Lines(source, file)
        reader = csv.reader(lines, strict=True)
        names = list(header) if header is not None else _header(source, reader, columns)
        ours = own_columns(names)
        while True:
            first = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if lines.number > first or "unexpected end" in str(error):
                    _swallowed(source, first, lines.number)
                yield _unread(_span(first, lines.number), "row_unreadable", _csv(error))
                continue
            if not cells:
                continue
            where = _span(first, lines.number)
            if ours:
                if cells[0].startswith(CUT):
                    raise ManifestBroken(f"{source.name}: {where} says that rows are missing: {cells[0].lstrip('# ')}")
                cells[:ours] = map(unguarded, cells[:ours])
            values = dict(zip(names, cells, strict=False))
            extra = cells[len(names) :]
            if len(cells) == len(names) or (extra and not any(extra)):
                # Excel adds empty cells where another row has more of them.
                yield Row(where=where, values=values, ours=bool(ours))
                continue
            if lines.number > first:
                _swallowed(source, first, lines.number)
            problem = f"has {len(cells)} cells, the header has {len(names)}: quote cells that hold commas"
            yield _unread(where, "row_columns", problem, values)


class _Lines:
    """The lines of a text file, counted; bytes that are not UTF-8 stay as half characters for the row to be judged by."""

    def __init__(self, source: SourceFile, file: IO[bytes]) -> None:
        self._source = source
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._next():
            self.number += 1
            yield line
        # The wrapper would close a file that its context still holds.
        self._text.detach()

    def _next(self) -> str:
        try:
            line = self._text.readline(_LONGEST_LINE)
        except BROKEN_GZIP as error:
            raise ManifestBroken(
                f"{self._source.name} is cut off after line {self.number:,} ({error}): the gzip file is damaged or not "
                "complete, write it again"
            ) from error
        if len(line) == _LONGEST_LINE:
            raise ManifestBroken(
                f"{self._source.name}: line {self.number + 1:,} is longer than {_LONGEST_LINE:,} characters: is it a table?"
            )
        return line


def _header(source: SourceFile, reader: Iterator[list[str]], columns: Sequence[str]) -> list[str]:
    try:
        names = [name.strip() for name in next(reader)]
    except StopIteration:
        raise ManifestBroken(f"{source.name} is empty: its first line must name the columns") from None
    except csv.Error as error:
        raise ManifestBroken(f"{source.name}: line 1, the header, cannot be read: {_csv(error)}") from None
    while names and not names[-1]:
        names.pop()  # Excel's empty columns
    if len(names) < 2 and (not names or names[0].lower().startswith("sep=")):  # noqa: PLR2004 - as `sep=,` is read
        raise ManifestBroken(f"{source.name}: line 1 names no columns: remove the lines above the header")
    twice = next((name for name in (*columns, *OBJECT_COLUMNS) if names.count(name) > 1), None)
    if twice is not None:
        raise ManifestBroken(f"{source.name}: line 1 names the column {twice!r} twice: give each a different name")
    _check_columns(source, names, columns, where="line 1")
    return names


def _swallowed(source: SourceFile, first: int, last: int) -> NoReturn:
    raise ManifestBroken(
        f"{source.name}: a quote that is opened in line {first:,} is not closed where its cell ends, so {_span(first, last)} read as "
        "one row: double the quotes inside cells, or remove a stray one"
    )


def _check_columns(source: SourceFile, names: Sequence[str], columns: Sequence[str], *, where: str) -> None:
    for column in columns:
        if column not in names:
            near = difflib.get_close_matches(column, names, 1)
            shown = ", ".join(repr(_shown(name)) for name in names[:20]) or "none"
            hint = f"did you mean {_shown(near[0])!r}?" if near else f"there are {shown}."
            if len(names) == 1 and (sign := next((sign for sign in ";\t|\uff0c\uff1b" if sign in names[0]), None)):
                hint = f"its cells are separated by {sign!r}: save the file with commas."
            elif where == "line 1" and "." in column + "".join(names) and not near:
                hint += " If line 1 is already an object, write a header line above it."
            raise ManifestBroken(
                f"{source.name}: {where} has no column {column!r}; {hint} Name the column in source.manifest"
            )


def _shown(text: str) -> str:
    return text[:80].encode("utf-8", "replace").decode()


def _span(first: int, last: int) -> str:
    return f"line {last:,}" if last <= first else f"lines {first:,} to {last:,}"


def _csv(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text or "unexpected end" in text:
        return "a quote is opened and not closed: double the quotes inside a cell"
    return f"{text}: double the quotes inside a cell"


def _jsonl(source: SourceFile, columns: Sequence[str]) -> Iterator[Row]:
    with opened(source) as file:
        lines = _Lines(source, file)
        decoder = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=_once(*columns, *OBJECT_COLUMNS))
        unchecked = True
        for line in lines:
            where = f"line {lines.number:,}"
            if not line.strip():
                continue
            try:
                values = decoder.decode(line)
            except Rejected as rejected:
                yield _unread(where, rejected.code, rejected.message)
                continue
            except (ValueError, RecursionError) as error:
                if unchecked:
                    raise ManifestBroken(f"{source.name}: {where} is not JSON ({error}): {_ONE_A_LINE}") from None
                yield _unread(where, "row_unreadable", f"is not JSON ({error}): write one object a line")
                continue
            if not isinstance(values, dict):
                if unchecked:
                    raise ManifestBroken(
                        f"{source.name}: {where} is a JSON {_KINDS.get(type(values), 'value')}, not an object: {_ONE_A_LINE}"
                    )
                problem = f"is a JSON {_KINDS.get(type(values), type(values).__name__)}, not an object: write {{…}} with the key in it"
                yield _unread(where, "row_unreadable", problem)
                continue
            if unchecked:
                _check_columns(source, list(values), columns[:1], where=where)
                unchecked = False
            yield Row(where=where, values=values)


def _no_number(_: str) -> None:
    """NaN and Infinity, as Python's own writer leaves them in: no value, as in Parquet."""


def _once(*columns: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Makes an object of its pairs; a column that is used stands there once, as in a header."""

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            if (twice := next((name for name in columns if names.count(name) > 1), None)) is not None:
                raise Rejected("row_unreadable", f"names {twice!r} twice: give each a different name")
        return values

    return made


def _parquet(source: SourceFile, columns: Sequence[str]) -> Iterator[Row]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ManifestBroken(
            f"{source.name} is Parquet, but pyarrow is not installed here: pip install 'vod-migrate[parquet]', or write "
            "the manifest as CSV or JSON Lines"
        ) from error
    number = 0
    try:
        with pq.ParquetFile(source.path) as file:
            _check_columns(source, file.schema_arrow.names, columns, where="the schema")
            ours = bool(own_columns(file.schema_arrow.names))
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for values in pa.table(
                    {name: _in_microseconds(pa, batch[name]) for name in batch.schema.names}
                ).to_pylist():
                    number += 1
                    plain = {name: _plain(value) for name, value in values.items()}
                    yield Row(where=f"row {number:,}", values=plain, ours=ours)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        told = " ".join(str(error).split())[:200]
        raise ManifestBroken(f"{source.name} cannot be read as Parquet after row {number:,}: {told}") from error


def _in_microseconds(pa: Any, column: Any) -> Any:
    # Python's times have no nanoseconds, and pyarrow refuses to drop them.
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_time64(kind):
        return column.cast(pa.time64("us"), safe=False)
    return column.cast(pa.duration("us"), safe=False) if pa.types.is_duration(kind) else column


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    """A value of Parquet as a JSON type."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    return str(value)
