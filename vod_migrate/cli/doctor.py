"""`vod-migrate doctor`: everything that can be checked before a run, as a checklist."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from vod_migrate.cli.options import FileArgument, JsonOption
from vod_migrate.cli.spoken import spoken
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.doctor.doctor import examine
from vod_migrate.errors import BadOption
from vod_migrate.migration.loader import load_migration
from vod_migrate.results.address import database_url


def doctor(
    file: FileArgument,
    airflow: Annotated[
        bool,
        typer.Option(
            "--airflow",
            help="Check the connections of the Airflow on this machine (the file's, and vod_migrate_db) instead of the environment.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check everything that a run needs without changing anything, and show each result and fix.

    The exit code is 0 if no check failed, otherwise the one that a run would have.
    """
    if airflow:
        # What Airflow logs is no part of the checklist.
        with redirect_stdout(sys.stderr):
            hook, messages = _of_airflow("hook"), _of_airflow("messages")
            checklist = examine(
                migration=lambda: load_migration(file),
                connection=lambda: hook.VodHook(load_migration(file).connection).connection,
                database_url=hook.results_url,
                webhook=messages.find_webhook,
                notifier=messages.find_notifier,
            )
    else:
        checklist = examine(
            migration=lambda: load_migration(file),
            connection=connection_from_environment,
            database_url=lambda: database_url(embedded=True),
        )
    if as_json:
        print_json(checklist.as_json())
    else:
        typer.echo(checklist.as_text(spoken()))
    raise typer.Exit(checklist.exit_code)


def _of_airflow(module: str) -> Any:
    # Without it Airflow gives a process that is no task only the connections of environment variables.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        return importlib.import_module(f"vod_migrate.airflow.{module}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "airflow":
            raise
        raise BadOption(
            "--airflow: Airflow is not installed here; run doctor where Airflow's workers run, or omit the option"
        ) from None
