"""Writes a table of results to a file or to OSS: streamed, and there complete or not at all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vod_migrate.cloud.clients import open_bucket
from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.location import Location, location_of
from vod_migrate.cloud.upload import upload
from vod_migrate.errors import BadSetting, Interrupted, VodMigrateError
from vod_migrate.migration.export import ExportedRows, TableFormat
from vod_migrate.migration.templates import TemplateError
from vod_migrate.report.complete_file import complete_file
from vod_migrate.report.files import file_stem
from vod_migrate.report.table_formats import Table, encoded
from vod_migrate.report.tables import ResultScope, result_rows
from vod_migrate.results.csv_tables import RESULT_COLUMNS
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopClock

_ROWS_BETWEEN_LOOKS = 1_000
_NAMES = {ExportedRows.ALL: "results", ExportedRows.MAPPING: "mapping", ExportedRows.FAILURES: "failures"}

log = logging.getLogger(__name__)
Connect = Callable[[], Connection]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A table that was written. location: a path or oss://BUCKET/KEY; size: bytes."""

    location: str
    rows: int
    size: int

    def as_json(self) -> dict[str, Any]:
        """As `vod-migrate export --json` prints it, and a run's summary holds it."""
        return {"location": self.location, "rows": self.rows, "bytes": self.size}


class Exporter:
    """Writes results. connect: gives the connection, asked only where the table goes to OSS; stop: ends the writing."""

    def __init__(self, store: Store, *, connect: Connect, stop: threading.Event) -> None:
        self._store = store
        self._connect = connect
        self._stop = stop

    def export(self, run: Run, scope: ResultScope, form: TableFormat, to: Location) -> Exported:
        """Writes the table to a path or an object, and replaces what was there.

        Raises:
            BadSetting: the path cannot be written, or Parquet cannot be made. Interrupted. SourceError. StoreUnreachable.
        """
        with closing(_Counted(result_rows(self._store, run.run_id, scope), self._stop)) as rows:
            chunks = encoded(Table(columns=RESULT_COLUMNS, rows=rows), form)
            if to.bucket:
                bucket = open_bucket(self._connect(), to.bucket)
                size = upload(bucket, to.path, chunks, sleep=StopClock(self._stop).sleep)
            else:
                size = _to_file(Path(to.path), chunks)
        return Exported(location=str(to), rows=rows.count, size=size)

    def stream(self, run: Run, scope: ResultScope, form: TableFormat, write: Callable[[bytes], object]) -> int:
        """Writes the table piece by piece; returns the number of rows.

        Raises:
            BadSetting: Parquet cannot be made. Interrupted. StoreUnreachable.
        """
        with closing(_Counted(result_rows(self._store, run.run_id, scope), self._stop)) as rows:
            for chunk in encoded(Table(columns=RESULT_COLUMNS, rows=rows), form):
                write(chunk)
        return rows.count

    def after_run(self, run: Run) -> tuple[Exported | None, str]:
        """The table that the run's file asks for, and a warning where it could not be written, which is no fault of the run."""
        export = run.spec.export
        if export is None:
            return None, ""
        try:
            began = run.created_at or self._store.now()
            folder = export.folder(run.local_date or began.astimezone(run.spec.zone).date())
            name = f"{file_stem(run.run_id)}.{_NAMES[export.rows]}.{export.format}"
            until = self._store.export_moment()
            since = self._store.export_base(run)
            scope = ResultScope(whole=True, rows=export.rows, since=since)
            location = location_of(folder + name)
            if not location.bucket:
                Path(folder).mkdir(parents=True, exist_ok=True)
            done = self.export(run, scope, export.format, location)
            self._store.note_export(run, exported=done.as_json(), since=since, until=until)
        except (VodMigrateError, TemplateError, OSError) as error:
            return None, _not_exported(run, error)
        except Exception as error:
            # An export is beside the run: not even a bug in it may change what the run came to.
            log.exception("the export of %s failed", run.run_id)
            return None, _not_exported(run, error)
        return done, ""


class _Counted:
    """Rows that are counted as they are taken, and end where somebody stops it."""

    def __init__(self, rows: Iterator[Sequence[Any]], stop: threading.Event) -> None:
        self._rows = rows
        self._stop = stop
        self.count = 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for row in self._rows:
            if self.count % _ROWS_BETWEEN_LOOKS == 0 and self._stop.is_set():
                break
            self.count += 1
            yield row
        # Also where the last row was read: a table that somebody stopped must not appear.
        if self._stop.is_set():
            raise Interrupted("the export was stopped; nothing was written", code="interrupted")

    def close(self) -> None:
        """Gives the database connection back."""
        self._rows.close()  # type: ignore[attr-defined]  # a generator


def _to_file(path: Path, chunks: Iterator[bytes]) -> int:
    if path.exists() and not path.is_file():
        # A device or a pipe would be replaced by a file.
        raise BadSetting(f"{path} is not a file: choose another place, or write to - and redirect it")
    try:
        with complete_file(path) as file:
            return sum(file.write(chunk) for chunk in chunks)
    except OSError as error:
        raise BadSetting(
            f"cannot write the export to {path} ({error.strerror or error}): choose another place, or free space there"
        ) from error


def _not_exported(run: Run, error: Exception) -> str:
    to = run.spec.export.to if run.spec.export is not None else ""
    return (
        f"the results were not exported to {to}: {error}. The run itself is safe; "
        f"`vod-migrate export {run.migration} --to PLACE` writes them"
    )
