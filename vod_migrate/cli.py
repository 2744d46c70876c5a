"""vod-migrate by hand: the same engine without Airflow.

Exit codes: 0 success · 1 a bug · 2 bad input · 3 denied · 4 unreachable, try again · 5 failure threshold passed ·
6 ended with objects left · 130 interrupted. Data goes to stdout, everything said to a person to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from vod_migrate import __version__
from vod_migrate.authoring import authoring_app
from vod_migrate.doctoring import doctor_app
from vod_migrate.errors import BadOption, Interrupted, Unfinished, VodMigrateError
from vod_migrate.progress import shown_progress
from vod_migrate.sandbox.cli import sandbox_app
from vod_migrate.spec import Mode, RunOptions, load_migration, parse_options
from vod_migrate.stopping import StopSignal

__all__ = ["app", "main"]

app = typer.Typer(
    name="vod-migrate",
    help="Register large OSS archives in ApsaraVideo VOD: batched, paced, resumable, explained.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
database_app = typer.Typer(help="The results database.", no_args_is_help=True)
app.add_typer(authoring_app)
app.add_typer(doctor_app)
app.add_typer(database_app, name="db")
app.add_typer(sandbox_app, name="sandbox")

CLI_SLOT = "cli"

JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON for machines.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's id, or a migration's name for its latest run.")
]


def _help(option: str) -> str:
    return RunOptions.model_fields[option].description or ""


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The migration file (YAML).")],
    mode: Annotated[Mode, typer.Option(help=_help("mode"))] = Mode.NEW,
    prefix: Annotated[list[str] | None, typer.Option(help=_help("prefixes") + " May be repeated.")] = None,
    limit: Annotated[int | None, typer.Option(help=_help("limit"))] = None,
    modified_since: Annotated[str | None, typer.Option(metavar="TIME", help=_help("modified_since"))] = None,
    date: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help=_help("date"))] = None,
    calls_per_second: Annotated[float | None, typer.Option(help=_help("calls_per_second"))] = None,
    report_dir: Annotated[
        Path | None, typer.Option(help="Write the report here: HTML, failures CSV, mapping CSV.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a migration: discover, register, record, report."""
    migration = load_migration(file)
    options = parse_options(
        {
            "mode": mode.value,
            "prefixes": prefix,
            "limit": limit,
            "modified_since": modified_since,
            "date": date,
            "calls_per_second": calls_per_second,
        }
    )
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.preflight.before_run import preflight  # noqa: PLC0415 - slow SDK imports

    connection = connection_from_environment()
    preflight(connection, migration)
    run_id = engine.new_run_id()
    trouble: list[VodMigrateError] = []
    # Present before the run can be seen, so that no other run takes it for a dead one's.
    with _store() as store, _stop_on_signals() as stop, store.presence(run_id):
        engine.prepare(
            store=store,
            connection=connection,
            migration=migration,
            options=options,
            origin=engine.Origin(),
            run_id=run_id,
        )
        _say(f"run {run_id} of {migration.name!r} on bucket {migration.source.bucket!r}")
        listing = threading.Thread(target=_discover, args=(store, connection, run_id, stop, trouble), daemon=True)
        listing.start()
        with shown_progress(store, run_id, quiet=as_json and not sys.stderr.isatty()):
            try:
                engine.register(
                    store=store, connection=connection, run_id=run_id, slot=CLI_SLOT, stop=stop, patience=0.0
                )
            except VodMigrateError as error:
                trouble.insert(0, error)
            signalled = stop.is_set()
            if trouble:
                # What ended registering is no reason to go on listing.
                stop.set()
            listing.join(timeout=5.0 if stop.is_set() else None)
        summary = engine.finish(store=store, run_id=run_id)
        _print_report(store, run_id, report_dir, text=not as_json)
        if as_json:
            typer.echo(json.dumps(summary.as_json(), ensure_ascii=False))
        why = _why(summary.error, trouble, stopped=signalled)
    if why is not None:
        raise why


@app.command()
def work(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run that is under way.")],
    slot: Annotated[
        str, typer.Option(help="This worker's place in the run; a restart under the same name takes it over.")
    ],
) -> None:
    """Help a run that is under way: one more worker, on this or another machine, under the same quota."""
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports

    if slot == CLI_SLOT:
        raise BadOption(f"--slot {CLI_SLOT}: that is the place of `vod-migrate run` itself; choose another name")
    connection = connection_from_environment()
    with _store() as store, _stop_on_signals() as stop:
        started = _find(store, run_id)
        if started.state != "running":
            raise BadOption(f"run {started.run_id} has ended ({started.state}); start a new one with `vod-migrate run`")
        engine.register(store=store, connection=connection, run_id=started.run_id, slot=slot, stop=stop)


@app.command()
def status(
    of: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run's id, or a migration's name; all without it.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many runs, newest first.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the newest runs and their numbers."""
    from vod_migrate.status import render_status, status_rows  # noqa: PLC0415 - needs the store

    with _store() as store:
        rows = status_rows(store, of=of, most=most)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        typer.echo(render_status(rows))


@app.command()
def report(
    of: RunArgument,
    output: Annotated[
        Path | None, typer.Option(help="Write HTML, failures CSV and mapping CSV into this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a run's report, or write it as files."""
    from vod_migrate.report.load import load_report  # noqa: PLC0415 - needs the store

    with _store() as store:
        found = _find(store, of)
        _print_report(store, found.run_id, output, text=not as_json)
        if as_json:
            typer.echo(json.dumps(load_report(store, found.run_id).as_json(), ensure_ascii=False))


@app.command()
def quota(
    account: Annotated[str | None, typer.Argument(help="The account's name; all without it.")] = None,
    calls_per_second: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="The account's new pace, for every worker, at once.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show or change the pace that all workers of an account share."""
    from vod_migrate.register.quota import API  # noqa: PLC0415 - needs the store

    if calls_per_second is not None and account is None:
        raise BadOption("name the account whose pace is to change")
    with _store() as store:
        if account is not None and calls_per_second is not None:
            store.set_quota(account, API, calls_per_second)
        rows = [row for row in store.quotas() if account in (None, row[0])]
    for name, api, scope, rate, share in rows:
        if as_json:
            fields = {"account": name, "api": api, "scope": scope, "calls_per_second": rate, "share": round(share, 3)}
            typer.echo(json.dumps(fields, ensure_ascii=False))
        else:
            slowed = "" if share > 0.999 else f", slowed to {rate * share:.1f} after throttling"  # noqa: PLR2004 - rounding
            typer.echo(f"{name}  {api}  {scope or 'the whole account'}: {rate:g} calls/s{slowed}")


@database_app.command("upgrade")
def upgrade_database() -> None:
    """Bring the results database to this version's schema (VOD_MIGRATE_DATABASE_URL, or the embedded one)."""
    from vod_migrate.results.database import database_url, upgrade_schema  # noqa: PLC0415 - slow imports

    typer.echo(f"the results database is at schema {upgrade_schema(database_url(embedded=True))}")


@database_app.command("check")
def check_database() -> None:
    """Say whether the results database can be used."""
    from vod_migrate.results.database import check_schema, database_url, schema_versions  # noqa: PLC0415 - slow imports

    url = database_url(embedded=True)
    check_schema(url)
    typer.echo(f"the results database answers and is at schema {schema_versions(url)[0]}")


@app.callback(invoke_without_command=True)
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"vod-migrate {__version__}")
        raise typer.Exit
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    # The pool reports each failed attempt; ours says it once, in words.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    logging.getLogger("oss2").setLevel(logging.CRITICAL)


def main() -> None:
    """The console script: an error is one paragraph and its exit code, never a traceback."""
    try:
        app()
    except VodMigrateError as error:
        if "--json" in sys.argv:
            body = {"error": {"type": type(error).__name__, "message": str(error)}, "exit_code": error.exit_code}
            _say(json.dumps(body, ensure_ascii=False))
        else:
            _say(f"vod-migrate: {error}")
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that still wait for the network must not hold the process back.
        _exit(error.exit_code)


def _exit(code: int) -> None:
    import atexit  # noqa: PLC0415 - only on the way out

    atexit._run_exitfuncs()  # noqa: SLF001 - lets the embedded Postgres stop
    os._exit(code)


def _discover(store: Any, connection: Any, run_id: str, stop: threading.Event, trouble: list[VodMigrateError]) -> None:
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports

    try:
        engine.discover(store=store, connection=connection, run_id=run_id, stop=stop)
    except VodMigrateError as error:
        trouble.append(error)


def _why(verdict: VodMigrateError | None, trouble: list[VodMigrateError], *, stopped: bool) -> VodMigrateError | None:
    """What the process ends with: what is in the run's row, unless that only says that something is left."""
    if not isinstance(verdict, Unfinished):
        return verdict
    if stopped:
        return Interrupted(str(verdict))
    return next((error for error in trouble if not isinstance(error, Interrupted)), verdict)


def _print_report(store: Any, run_id: str, folder: Path | None, *, text: bool) -> None:
    from vod_migrate.report.files import write_report  # noqa: PLC0415 - needs the store
    from vod_migrate.report.load import load_report  # noqa: PLC0415 - needs the store
    from vod_migrate.report.text import render_text  # noqa: PLC0415 - needs the store

    if folder is not None:
        files = write_report(store, run_id, folder)
        for path in (files.html, files.failures_csv, files.mapping_csv):
            _say(f"wrote {path}")
    if text:
        typer.echo(render_text(load_report(store, run_id)))


def _find(store: Any, name: str) -> Any:
    if not name.isprintable():
        raise BadOption(f"{name!a} is no name of a run or a migration")
    try:
        return store.run(name)
    except KeyError:
        found = store.latest_run(None, name)
    if found is None:
        raise BadOption(f"there is no run and no migration {name!r} in this database; see `vod-migrate status`")
    return found


@contextmanager
def _store() -> Iterator[Any]:
    from vod_migrate.results.database import database_url  # noqa: PLC0415 - slow imports
    from vod_migrate.results.store import Store  # noqa: PLC0415 - slow imports

    with Store.open(database_url(embedded=True), connections=12) as store:
        yield store


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
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


def _say(text: str) -> None:
    typer.echo(text, err=True)


if __name__ == "__main__":
    main()
