"""Everything that differs as a file: CSV, or JSON Lines; an object a line, written as it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from vod_migrate.audit.drift import KINDS, Judgment
from vod_migrate.discover.selection import sample_of, storable
from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.report.files import appearing
from vod_migrate.results.csv_tables import ENCODING, csv_line

COLUMNS = ("bucket", "key", "line", "kind", "media_id", "detail", "size", "meaning", "fix")


@contextmanager
def drift_file(path: Path, bucket: str) -> Iterator[Callable[[Judgment], None]]:
    """What writes a judgment, where it differs; the file appears under its name once it is complete.

    Raises:
        BadOption: it is neither .csv nor .jsonl. BadSetting: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise BadOption(f"--output {str(path)!r}: name a file that ends in .csv or .jsonl")
    table = suffix == ".csv"
    try:
        with appearing(path, encoding=ENCODING if table else "utf-8") as file:
            if table:
                file.write(csv_line(COLUMNS))
            yield lambda judgment: _write(file, bucket, judgment, table=table)
    except OSError as error:
        raise BadSetting(
            f"cannot write {path} ({error.strerror or error}): choose another folder, or free space in this one"
        ) from error


def _write(file: TextIO, bucket: str, judgment: Judgment, *, table: bool) -> None:
    drift = judgment.drift
    if not drift.differs:
        return
    kind = KINDS[drift]
    # Neither UTF-8 nor JSON has half a character.
    key = judgment.key if storable(judgment.key) else sample_of(judgment.key)
    size = None if judgment.object is None else judgment.object.size
    cells = (
        bucket, key, kind.mark.value, drift.value, judgment.media_id, judgment.detail, size, kind.meaning, kind.fix,
    )  # fmt: skip
    if table:
        file.write(csv_line(cells))
    else:
        file.write(json.dumps(dict(zip(COLUMNS, cells, strict=True)), ensure_ascii=False) + "\n")
