"""Everything that differs as a file: CSV, or JSON Lines; an object a line, written as it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from vod_migrate.audit.drift import KINDS, Finding
from vod_migrate.discover.selection import sample_of, storable
from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.report.complete_file import complete_file
from vod_migrate.results.csv_tables import ENCODING, csv_line

COLUMNS = ("bucket", "key", "line", "kind", "media_id", "detail", "size", "meaning", "fix")


@contextmanager
def drift_file(path: Path, bucket: str) -> Iterator[Callable[[Finding], None]]:
    """What writes a finding, where it differs; the file appears under its name once it is complete.

    Raises:
        BadOption: it is neither .csv nor .jsonl. BadSetting: it cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl"):
        raise BadOption(f"--output {str(path)!r}: name a file that ends in .csv or .jsonl")
    table = suffix == ".csv"
    try:
        with complete_file(path) as file:
            if table:
                file.write(csv_line(COLUMNS).encode(ENCODING))
            yield lambda finding: _write(file, bucket, finding, table=table)
    except OSError as error:
        raise BadSetting(
            f"cannot write {path} ({error.strerror or error}): choose another folder, or free space in this one"
        ) from error


def _write(file: BinaryIO, bucket: str, finding: Finding, *, table: bool) -> None:
    drift = finding.drift
    if not drift.differs:
        return
    kind = KINDS[drift]
    # Neither UTF-8 nor JSON has half a character.
    key = finding.key if storable(finding.key) else sample_of(finding.key)
    size = None if finding.object is None else finding.object.size
    cells = (
        bucket, key, kind.mark.value, drift.value, finding.media_id, finding.detail, size, kind.meaning, kind.fix,
    )  # fmt: skip
    line = csv_line(cells) if table else json.dumps(dict(zip(COLUMNS, cells, strict=True)), ensure_ascii=False) + "\n"
    file.write(line.encode())
