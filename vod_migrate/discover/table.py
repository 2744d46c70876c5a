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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from vod_migrate.discover.download import BROKEN_GZIP, SourceFile, opened
from vod_migrate.errors import ManifestBroken
from vod_migrate.media import Rejected

_LONGEST_LINE = 1 << 20
_KINDS = {list: "list", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_BATCH_ROWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row. where: its place as a person finds it ('line 18', 'row 17'); rejected: why it cannot be read.

    values: by column; of a row that cannot be read, what is readable of it.
    """

    where: str
    values: Mapping[str, Any] = field(default_factory=dict)
    rejected: Rejected | None = None


def _unread(where: str, code: str, problem: str, values: Mapping[str, Any] | None = None) -> Row:
    return Row(where=where, values=values or {}, rejected=Rejected(code, f"{where} {problem}"))


def read_table(source: SourceFile, kind: str, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a manifest. kind: csv, jsonl or parquet; columns: those that must be there.

    Raises:
        ManifestBroken: a column is missing, or the file breaks off; names file and line.
    """
    if kind == "parquet":
        yield from _parquet(source, columns)
        return
    if kind == "jsonl":
        yield from _jsonl(source, columns)
        return
    yield from read_csv(source, columns=columns)


def read_csv(source: SourceFile, *, header: Sequence[str] | None = None, columns: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV file (UTF-8, commas, double quotes). header: of a file that has none, as an inventory's.

    Raises:
        ManifestBroken: see read_table.
    """
    with opened(source) as file:
        lines = _Lines(source, file)
        reader = csv.reader(lines, strict=True)
        names = list(header) if header is not None else _header(source, reader, columns)
        while True:
            first = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield _unread(_span(first, lines.number), "row_unreadable", _csv(error))
                continue
            if not cells:
                continue
            values = dict(zip(names, cells, strict=False))
            where = _span(first, lines.number)
            if len(cells) == len(names):
                yield Row(where=where, values=values)
                continue
            problem = f"has {len(cells)} cells, the header has {len(names)}: quote cells that hold commas"
            yield _unread(where, "row_columns", problem, values)


class _Lines:
    """The lines of a text file, counted; bytes that are not UTF-8 stay as half characters for the row to be judged by."""

    def __init__(self, source: SourceFile, file: IO[bytes]) -> None:
        self._source = source
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.number = 0
        self._ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._ended:
            raise StopIteration
        try:
            line = self._text.readline(_LONGEST_LINE)
        except BROKEN_GZIP as error:
            raise ManifestBroken(
                f"{self._source.name} breaks off after line {self.number:,} ({error}): the gzip file is damaged or not "
                "complete, write it again"
            ) from error
        if not line:
            # The wrapper would close a file that its context still holds.
            self._text.detach()
            self._ended = True
            raise StopIteration
        if len(line) == _LONGEST_LINE:
            raise ManifestBroken(
                f"{self._source.name}: line {self.number + 1:,} is longer than {_LONGEST_LINE:,} characters: is it a table?"
            )
        self.number += 1
        return line


def _header(source: SourceFile, reader: Iterator[list[str]], columns: Sequence[str]) -> list[str]:
    try:
        names = [name.strip() for name in next(reader)]
    except StopIteration:
        raise ManifestBroken(f"{source.name} is empty: its first line must name the columns") from None
    except csv.Error as error:
        raise ManifestBroken(f"{source.name}: line 1, the header, cannot be read: {_csv(error)}") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ManifestBroken(f"{source.name}: line 1 names the column {twice[0]!r} twice: give each a name of its own")
    _check_columns(source, names, columns, where="line 1")
    return names


def _check_columns(source: SourceFile, names: Sequence[str], columns: Sequence[str], *, where: str) -> None:
    for column in columns:
        if column not in names:
            near = difflib.get_close_matches(column, names, 1)
            shown = ", ".join(repr(_shown(name)) for name in names[:20]) or "none"
            hint = f"did you mean {_shown(near[0])!r}?" if near else f"there are {shown}"
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
        unchecked = True
        for line in lines:
            where = f"line {lines.number:,}"
            if not line.strip():
                continue
            try:
                values = json.loads(line, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                problem = f"is not JSON ({error}): write one object a line"
                yield _unread(where, "row_unreadable", problem)
                continue
            if not isinstance(values, dict):
                problem = f"is a JSON {_KINDS.get(type(values), type(values).__name__)}, not an object: write {{…}} with the key in it"
                yield _unread(where, "row_unreadable", problem)
                continue
            if unchecked:
                _check_columns(source, list(values), columns[:1], where=where)
                unchecked = False
            yield Row(where=where, values=values)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _parquet(source: SourceFile, columns: Sequence[str]) -> Iterator[Row]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ManifestBroken(
            f"{source.name} is Parquet, and pyarrow is not installed here: pip install 'vod-migrate[parquet]', or write "
            "the manifest as CSV or JSON Lines"
        ) from error
    number = 0
    try:
        with pq.ParquetFile(source.path) as file:
            _check_columns(source, file.schema_arrow.names, columns, where="the schema")
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(where=f"row {number:,}", values={name: _plain(value) for name, value in values.items()})
    except (pa.ArrowException, OSError) as error:
        told = " ".join(str(error).split())[:200]
        raise ManifestBroken(f"{source.name} cannot be read as Parquet after row {number:,}: {told}") from error


def _plain(value: Any) -> Any:
    """A value of Parquet as a JSON type."""
    if value is None or isinstance(value, str | int | float | bool):
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
