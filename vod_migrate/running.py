"""A whole run by hand, in one process: list on one thread, register beside it, report at the end."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vod_migrate.console import open_store, print_report, say, stop_on_signals
from vod_migrate.errors import Interrupted, Paused, Unfinished, VodMigrateError
from vod_migrate.progress import shown_progress

if TYPE_CHECKING:
    from vod_migrate.connection import Connection
    from vod_migrate.results.rows import Run
    from vod_migrate.results.store import Store

__all__ = ["CLI_SLOT", "carry_out"]

CLI_SLOT = "cli"
_LETTING_GO_SECONDS = 5.0


def carry_out(
    connection: Connection, prepare: Callable[[Store, str], Run], *, report_dir: Path | None, as_json: bool
) -> None:
    """Prepares a run and works until it has its verdict. prepare: stores the run under the id that it is given.

    Raises:
        VodMigrateError: what prepare raises, and why the run was no success.
    """
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports

    run_id = engine.new_run_id()
    # Present before the run can be seen, so that no other run takes it for a dead one's.
    with open_store() as store, stop_on_signals() as stop, store.presence(run_id):
        run = prepare(store, run_id)
        say(f"run {run_id} of {run.migration!r} on bucket {run.bucket!r}")
        trouble, signalled = _work(store, connection, run_id, stop, quiet=as_json and not sys.stderr.isatty())
        summary = engine.finish(store=store, run_id=run_id)
        print_report(store, run_id, report_dir, text=not as_json)
        if as_json:
            typer.echo(json.dumps(summary.as_json(), ensure_ascii=False))
        why = _why(summary.error, trouble, stopped=signalled)
    if why is not None:
        raise why


def _work(
    store: Store, connection: Connection, run_id: str, stop: threading.Event, *, quiet: bool
) -> tuple[list[VodMigrateError], bool]:
    """Lists and registers. Returns what went wrong, and whether a signal ended it."""
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports

    trouble: list[VodMigrateError] = []
    halt = threading.Event()
    listing = threading.Thread(target=_discover, args=(store, connection, run_id, halt, trouble), daemon=True)
    threading.Thread(target=_pass_on, args=(stop, halt), daemon=True).start()
    listing.start()
    with shown_progress(store, run_id, quiet=quiet):
        try:
            engine.register(store=store, connection=connection, run_id=run_id, slot=CLI_SLOT, stop=stop, patience=0.0)
        except Paused:
            # A window or a brake ends sending; listing goes on, so that the next run knows what is there.
            pass
        except VodMigrateError as error:
            trouble.insert(0, error)
        if trouble:
            # What ended registering is no reason to go on listing.
            halt.set()
        while listing.is_alive() and not halt.is_set():
            listing.join(timeout=0.25)
        listing.join(timeout=_LETTING_GO_SECONDS)
    return trouble, stop.is_set()


def _pass_on(stop: threading.Event, halt: threading.Event) -> None:
    stop.wait()
    halt.set()


def _discover(
    store: Store, connection: Connection, run_id: str, stop: threading.Event, trouble: list[VodMigrateError]
) -> None:
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports

    try:
        engine.discover(store=store, connection=connection, run_id=run_id, stop=stop)
    except Paused:
        return
    except VodMigrateError as error:
        trouble.append(error)


def _why(verdict: VodMigrateError | None, trouble: list[VodMigrateError], *, stopped: bool) -> VodMigrateError | None:
    """What the process ends with: what is in the run's row, unless that only says that something is left."""
    if not isinstance(verdict, Unfinished):
        return verdict
    if stopped:
        return Interrupted(str(verdict))
    return next((error for error in trouble if not isinstance(error, Interrupted)), verdict)
