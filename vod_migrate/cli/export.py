"""The command `export`."""

from __future__ import annotations

import datetime as dt
import re
import sys
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from vod_migrate.cli.console import find_run, open_store, run_argument, say, stop_on_signals
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.cloud.location import Location, location_of
from vod_migrate.errors import BadOption
from vod_migrate.migration.export import ExportedRows, TableFormat
from vod_migrate.migration.prefixes import BUCKET, check_prefix
from vod_migrate.report.export import Exporter
from vod_migrate.report.progress import shown_wait
from vod_migrate.report.tables import ResultScope
from vod_migrate.report.text_format import counted, visible
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store

_STDOUT = "-"
_EXTENSIONS = {".csv": TableFormat.CSV, ".jsonl": TableFormat.JSONL, ".ndjson": TableFormat.JSONL, ".parquet": TableFormat.PARQUET}  # fmt: skip
_MOST_KEY_BYTES = 1_023


def export(
    of: Annotated[
        str, run_argument("A run's ID for the objects that it settled, or a migration's name for all of its objects.")
    ],
    to: Annotated[str, typer.Option(metavar="PLACE", help="A path, oss://BUCKET/KEY, or - for stdout.")],
    rows: Annotated[
        ExportedRows,
        typer.Option(
            help="mapping: objects with a MediaId; failures: failed objects; all: both, and objects that are gone."
        ),
    ] = ExportedRows.ALL,
    form: Annotated[
        TableFormat | None, typer.Option("--format", help="By default, the extension of PLACE decides; csv for stdout.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Only keys that begin with this.")] = "",
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|RUN",
            help="Only objects that have changed since this time (without an offset, in the migration's time zone) or since the end of this run.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write results as a table: objects, their MediaIds, and why others failed.

    The file or object appears when it is complete, and replaces an older one. The columns are the same in every format.
    """
    place = _place(to)
    chosen = form or _format_of(to)
    with open_store() as store, stop_on_signals() as stop:
        run = find_run(store, of)
        scope = ResultScope(
            whole=run.run_id != of, rows=rows, prefix=_checked(prefix), since=_moment(store, run, since)
        )
        exporter = Exporter(store, connect=connection_from_environment, stop=stop)
        if place is None:
            if as_json:
                raise BadOption(
                    "--json prints the location of the table, and --to - the table itself: leave one of them out"
                )
            if chosen is TableFormat.PARQUET and sys.stdout.isatty():
                raise BadOption("Parquet is not text: redirect stdout, or choose another --format")
            sys.stdout.flush()
            with nullcontext() if sys.stdout.isatty() else shown_wait(f"exporting {visible(run.migration)}"):
                count = exporter.stream(run, scope, chosen, sys.stdout.buffer.write)
            sys.stdout.buffer.flush()
            say(f"wrote {counted(count, 'row')}")
            return
        with shown_wait(f"exporting {visible(run.migration)} to {visible(to)}"):
            done = exporter.export(run, scope, chosen, place)
        if as_json:
            print_json(done.as_json())
        else:
            say(f"wrote {counted(done.rows, 'row')} to {visible(done.location)}")


def _place(to: str) -> Location | None:
    """Where the table goes; None: to stdout."""
    if to == _STDOUT:
        return None
    place = location_of(to)
    if place.bucket or to.startswith("oss://"):
        key = place.path
        if not re.fullmatch(BUCKET, place.bucket) or not key or key[0] in "/\\" or key.endswith("/"):
            raise BadOption(f"--to {to!r} is not an object in OSS: write oss://BUCKET/KEY")
        if len(key.encode()) > _MOST_KEY_BYTES:
            raise BadOption(f"--to: the key has {len(key.encode()):,} bytes, and OSS takes {_MOST_KEY_BYTES:,}")
        return place
    if "://" in to:
        raise BadOption(f"--to {to!r} cannot be written to: give a path, oss://BUCKET/KEY, or - for stdout")
    if Path(to).is_dir():
        raise BadOption(f"--to {to!r} is a folder: name a file in it, e.g. {Path(to) / 'results.csv'}")
    return place


def _format_of(to: str) -> TableFormat:
    if to == _STDOUT:
        return TableFormat.CSV
    found = _EXTENSIONS.get(PurePosixPath(to).suffix.lower())
    if found is None:
        raise BadOption(f"--to {to!r} does not end in .csv, .jsonl or .parquet: give --format")
    return found


def _checked(prefix: str) -> str:
    try:
        return check_prefix(prefix)
    except ValueError as error:
        raise BadOption(f"--prefix {error}") from None


def _moment(store: Store, run: Run, since: str | None) -> dt.datetime | None:
    if since is None:
        return None
    try:
        # A run's ID comes first: one in 200 reads as a time with an offset, too.
        before = store.run(since) if since.isprintable() else None
    except KeyError:
        before = None
    if before is not None and before.migration_id == run.migration_id:
        if before.finished_at is None:
            raise BadOption(f"--since: run {before.run_id} has not ended, so nothing can have changed since")
        return before.finished_at
    try:
        moment = dt.datetime.fromisoformat(since)
    except ValueError:
        raise BadOption(
            f"--since {since!r} is neither a time (YYYY-MM-DDTHH:MM) nor a run of {run.migration!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=run.spec.zone)
