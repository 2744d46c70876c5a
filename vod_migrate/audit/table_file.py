"""Everything that was found as a file: CSV, or JSON Lines; a row a line, written as it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.report.complete_file import complete_file
from vod_migrate.results.csv_tables import ENCODING, csv_line


@contextmanager
def table_file(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """What writes a row; the file appears under its name once it is complete.

    Raises:
        BadOption: it is neither .csv nor .jsonl. BadSetting: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise BadOption(f"--output {str(path)!r}: name a file that ends in .csv or .jsonl")
    try:
        with complete_file(path) as file:
            if suffix == ".csv":
                file.write(csv_line(columns).encode(ENCODING))
                yield lambda row: _put(file.write, csv_line(row))
            else:
                yield lambda row: _put(
                    file.write, json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n"
                )
    except OSError as error:
        raise BadSetting(
            f"cannot write {path} ({error.strerror or error}): choose another folder, or free space in this one"
        ) from error


def _put(write: Callable[[bytes], Any], line: str) -> None:
    write(line.encode())
