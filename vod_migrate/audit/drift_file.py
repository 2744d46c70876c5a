"""Everything that differs as a file: CSV, or JSON Lines; an object a line, written as it is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vod_migrate.audit.drift import KINDS, Finding
from vod_migrate.audit.table_file import table_file
from vod_migrate.discover.selection import sample_of, storable

COLUMNS = ("bucket", "key", "line", "kind", "media_id", "detail", "size", "meaning", "fix")


@contextmanager
def drift_file(path: Path, bucket: str) -> Iterator[Callable[[Finding], None]]:
    """What writes a finding, where it differs; see `table_file`."""
    with table_file(path, COLUMNS) as put:
        yield lambda finding: put(_cells(bucket, finding)) if finding.drift.differs else None


def _cells(bucket: str, finding: Finding) -> tuple[Any, ...]:
    drift = finding.drift
    kind = KINDS[drift]
    # Neither UTF-8 nor JSON has half a character.
    key = finding.key if storable(finding.key) else sample_of(finding.key)
    size = None if finding.object is None else finding.object.size
    return bucket, key, kind.mark.value, drift.value, finding.media_id, finding.detail, size, kind.meaning, kind.fix
