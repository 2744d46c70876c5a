"""Everything that was found as a file: CSV, or JSON Lines; a row a line, written as it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vod_migrate.audit.drift import KINDS, Judgment
from vod_migrate.discover.selection import sample_of, storable
from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.report.complete_file import complete_file
from vod_migrate.results.csv_tables import ENCODING, csv_line

DRIFT_COLUMNS = ("bucket", "key", "line", "kind", "media_id", "detail", "size", "meaning", "fix")


@contextmanager
def table_file(path: Path | None, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], None]]:
    """What writes a row; the file appears under its name once it is complete. path: None for no file.

    Raises:
        BadOption: it is neither .csv nor .jsonl. BadSetting: it cannot be written.
    """
    if path is None:
        yield lambda _: None
        return
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


@contextmanager
def drift_file(path: Path | None, bucket: str) -> Iterator[Callable[[Judgment], None]]:
    """What writes a judgment, where it differs; see `table_file`."""
    with table_file(path, DRIFT_COLUMNS) as put:
        yield lambda judgment: put(_drift_cells(bucket, judgment)) if judgment.drift.differs else None


def _drift_cells(bucket: str, judgment: Judgment) -> tuple[Any, ...]:
    drift = judgment.drift
    kind = KINDS[drift]
    # Neither UTF-8 nor JSON has half a character.
    key = judgment.key if storable(judgment.key) else sample_of(judgment.key)
    size = None if judgment.object is None else judgment.object.size
    return bucket, key, kind.mark.value, drift.value, judgment.media_id, judgment.detail, size, kind.meaning, kind.fix
