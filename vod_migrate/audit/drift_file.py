"""Everything that differs as a file: CSV, or JSON Lines; an object a line, written as it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vod_migrate.audit.drift import KINDS, Judgment
from vod_migrate.audit.table_file import table_file
from vod_migrate.discover.selection import sample_of, storable

COLUMNS = ("bucket", "key", "line", "kind", "media_id", "detail", "size", "meaning", "fix")


@contextmanager
def drift_file(path: Path, bucket: str) -> Iterator[Callable[[Judgment], None]]:
    """What writes a judgment, where it differs; see `table_file`."""
    with table_file(path, COLUMNS) as put:
        yield lambda judgment: put(_cells(bucket, judgment)) if judgment.drift.differs else None


def _cells(bucket: str, judgment: Judgment) -> tuple[Any, ...]:
    drift = judgment.drift
    kind = KINDS[drift]
    # Neither UTF-8 nor JSON has half a character.
    key = judgment.key if storable(judgment.key) else sample_of(judgment.key)
    size = None if judgment.object is None else judgment.object.size
    return bucket, key, kind.mark.value, drift.value, judgment.media_id, judgment.detail, size, kind.meaning, kind.fix
