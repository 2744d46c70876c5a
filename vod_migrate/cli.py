"""vod-migrate by hand: the same engine without Airflow.

Exit codes: 0 success, or paused · 1 a bug · 2 bad input · 3 denied · 4 unreachable, try again · 5 failure threshold passed ·
6 ended with objects left · 130 interrupted or cancelled. Data goes to stdout, everything said to a person to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from vod_migrate import __version__
from vod_migrate.authoring import authoring_app
from vod_migrate.console import (
    JsonOption,
    ReportOption,
    RunArgument,
    find_run,
    open_store,
    option_help,
    print_report,
    say,
    stop_on_signals,
)
from vod_migrate.controlling import control_app
from vod_migrate.doctoring import doctor_app
from vod_migrate.errors import BadOption, VodMigrateError
from vod_migrate.planning import show_plan
from vod_migrate.running import CLI_SLOT, carry_out
from vod_migrate.sandbox.cli import sandbox_app
from vod_migrate.spec import Mode, load_migration, parse_options

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
app.add_typer(control_app)
app.add_typer(doctor_app)
app.add_typer(database_app, name="db")
app.add_typer(sandbox_app, name="sandbox")


# What a run is asked for, and so is a plan of it.
FileArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The migration file (YAML).")]
ModeOption: TypeAlias = Annotated[Mode, typer.Option(help=option_help("mode"))]
PrefixOption: TypeAlias = Annotated[list[str] | None, typer.Option(help=option_help("prefixes") + " May be repeated.")]
LimitOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("limit"))]
ModifiedSinceOption: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help=option_help("modified_since"))]
DateOption: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help=option_help("date"))]
CallsPerSecondOption: TypeAlias = Annotated[float | None, typer.Option(help=option_help("calls_per_second"))]
CodeOption: TypeAlias = Annotated[list[str] | None, typer.Option(help=option_help("codes") + " May be repeated.")]
MaxObjectsOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("max_objects"))]
MaxCallsOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("max_calls"))]
MaxMinutesOption: TypeAlias = Annotated[float | None, typer.Option(help=option_help("max_minutes"))]
IgnoreWindowOption: TypeAlias = Annotated[bool, typer.Option("--ignore-window", help=option_help("ignore_window"))]


@app.command()
def run(
    file: FileArgument,
    mode: ModeOption = Mode.NEW,
    prefix: PrefixOption = None,
    limit: LimitOption = None,
    modified_since: ModifiedSinceOption = None,
    date: DateOption = None,
    calls_per_second: CallsPerSecondOption = None,
    code: CodeOption = None,
    max_objects: MaxObjectsOption = None,
    max_calls: MaxCallsOption = None,
    max_minutes: MaxMinutesOption = None,
    ignore_window: IgnoreWindowOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `vod-migrate plan`.")] = False,
    approve: Annotated[str | None, typer.Option(metavar="DIGEST", help=option_help("approve"))] = None,
    report_dir: ReportOption = None,
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
            "codes": code,
            "max_objects": max_objects,
            "max_calls": max_calls,
            "max_minutes": max_minutes,
            "ignore_window": ignore_window or None,
            "dry_run": dry_run,
            "approve": approve,
        }
    )
    if dry_run:
        show_plan(file, migration, options, as_json=as_json)
        return
    from vod_migrate import engine  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.preflight.before_run import preflight  # noqa: PLC0415 - slow SDK imports

    connection = connection_from_environment()
    preflight(connection, migration)
    carry_out(
        connection,
        lambda store, run_id: engine.prepare(
            store=store,
            connection=connection,
            migration=migration,
            options=options,
            origin=engine.Origin(),
            run_id=run_id,
        ),
        report_dir=report_dir,
        as_json=as_json,
    )


@app.command()
def plan(
    file: FileArgument,
    mode: ModeOption = Mode.NEW,
    prefix: PrefixOption = None,
    limit: LimitOption = None,
    modified_since: ModifiedSinceOption = None,
    date: DateOption = None,
    calls_per_second: CallsPerSecondOption = None,
    code: CodeOption = None,
    max_objects: MaxObjectsOption = None,
    max_calls: MaxCallsOption = None,
    max_minutes: MaxMinutesOption = None,
    ignore_window: IgnoreWindowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a run would do: what is sent, what is left out or fails and why, how many calls, how long. Sends nothing."""
    options = parse_options(
        {
            "mode": mode.value,
            "prefixes": prefix,
            "limit": limit,
            "modified_since": modified_since,
            "date": date,
            "calls_per_second": calls_per_second,
            "codes": code,
            "max_objects": max_objects,
            "max_calls": max_calls,
            "max_minutes": max_minutes,
            "ignore_window": ignore_window or None,
        }
    )
    show_plan(file, load_migration(file), options, as_json=as_json)


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
    with open_store() as store, stop_on_signals() as stop:
        started = find_run(store, run_id)
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

    with open_store() as store:
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

    with open_store() as store:
        found = find_run(store, of)
        print_report(store, found.run_id, output, text=not as_json)
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
    with open_store() as store:
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
        if "--json" in sys.argv and error.exit_code:
            body = {"error": {"type": type(error).__name__, "message": str(error)}, "exit_code": error.exit_code}
            say(json.dumps(body, ensure_ascii=False))
        else:
            say(f"vod-migrate: {error}")
        sys.stdout.flush()
        sys.stderr.flush()
        # Threads that still wait for the network must not hold the process back.
        _exit(error.exit_code)


def _exit(code: int) -> None:
    import atexit  # noqa: PLC0415 - only on the way out

    atexit._run_exitfuncs()  # noqa: SLF001 - lets the embedded Postgres stop
    os._exit(code)


if __name__ == "__main__":
    main()
