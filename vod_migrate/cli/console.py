"""What the commands share: the results store, runs found by name, words for a person, signals that end the work."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vod_migrate.errors import BadOption
from vod_migrate.migration.options import RunOptions
from vod_migrate.shutdown import StopSignal

if TYPE_CHECKING:
    from vod_migrate.results.run import Run
    from vod_migrate.results.store import Store

JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON for machines.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or a migration's name for its latest run.")
]

ReportOption = Annotated[
    Path | None, typer.Option("--report-dir", help="Write the report here: HTML, failures CSV, mapping CSV.")
]


def option_help(name: str) -> str:
    """The help of a run option, from its one source."""
    return RunOptions.model_fields[name].description or ""


def say(text: str) -> None:
    """Something for a person, on stderr."""
    typer.echo(text, err=True)


@contextmanager
def open_store() -> Iterator[Store]:
    """The results store that the environment names, or the embedded one.

    Raises:
        BadSetting, StoreUnreachable, StoreNotMigrated, StoreTooNew
    """
    from vod_migrate.results.database import database_url  # noqa: PLC0415 - slow imports
    from vod_migrate.results.store import Store  # noqa: PLC0415 - slow imports

    with Store.open(database_url(embedded=True), connections=12) as store:
        yield store


def find_run(store: Store, name: str) -> Run:
    """The run of that id, or the latest run of the migration of that name.

    Raises:
        BadOption: there is neither.
    """
    if not name.isprintable():
        raise BadOption(f"{name!a} is no name of a run or a migration")
    try:
        return store.run(name)
    except KeyError:
        found = store.latest_run(None, name)
    if found is None:
        raise BadOption(f"there is no run and no migration {name!r} in this database; see `vod-migrate status`")
    return found


def print_report(store: Store, run_id: str, folder: Path | None, *, text: bool) -> None:
    """Writes a run's report into a folder where one is named, and prints it where text is wanted."""
    from vod_migrate.report.files import write_report  # noqa: PLC0415 - needs the store
    from vod_migrate.report.loader import load_report  # noqa: PLC0415 - needs the store
    from vod_migrate.report.text import render_text  # noqa: PLC0415 - needs the store

    if folder is not None:
        files = write_report(store, run_id, folder)
        for path in (files.html, files.failures_csv, files.mapping_csv):
            say(f"wrote {path}")
    if text:
        typer.echo(render_text(load_report(store, run_id)))


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once."""
    asked = StopSignal()

    def on_signal(_number: int, _frame: object) -> None:
        if asked.event.is_set():
            os._exit(130)
        asked.ask()
        # Straight to the descriptor: the handler may have interrupted a write to the stream above it.
        os.write(2, b"stopping: what is not sent stays pending; once more to stop at once\n")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
