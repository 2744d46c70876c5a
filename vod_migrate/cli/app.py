"""vod-migrate from the command line: the same engine without Airflow.

Exit codes: 0 success, or paused · 1 a bug · 2 bad input · 3 denied · 4 unreachable, try again · 5 failure threshold passed ·
6 ended with objects left · 130 interrupted or cancelled. Data goes to stdout, everything said to a person to stderr.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Annotated

import typer

from vod_migrate import __version__
from vod_migrate.cli.console import (
    say,
)
from vod_migrate.cli.control import control_app
from vod_migrate.cli.database import database_app, discard, transfer
from vod_migrate.cli.doctor import doctor_app
from vod_migrate.cli.migration_file import authoring_app
from vod_migrate.cli.plan import plan
from vod_migrate.cli.quota import quota
from vod_migrate.cli.report import report
from vod_migrate.cli.run import run, work
from vod_migrate.cli.status import status
from vod_migrate.errors import VodMigrateError
from vod_migrate.sandbox.cli import sandbox_app

app = typer.Typer(
    name="vod-migrate",
    help="Register large OSS archives in ApsaraVideo VOD: batched, paced, resumable, explained.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (run, plan, work, status, report, quota, transfer, discard):
    app.command()(command)
app.add_typer(authoring_app)
app.add_typer(control_app)
app.add_typer(doctor_app)
app.add_typer(database_app, name="db")
app.add_typer(sandbox_app, name="sandbox")


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
