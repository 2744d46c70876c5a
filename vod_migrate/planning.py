"""The command `plan`, and `run --dry-run`: what a run would do, for people and for machines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from vod_migrate.console import open_store, say, stop_on_signals
from vod_migrate.spec import Migration, RunOptions

__all__ = ["show_plan"]


def show_plan(file: Path, migration: Migration, options: RunOptions, *, as_json: bool) -> None:
    """Makes a plan and prints it."""
    from vod_migrate import planner  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.plan.text import plan_text  # noqa: PLC0415 - needs rich

    connection = connection_from_environment()
    if sys.stderr.isatty():
        say(f"planning {migration.name!r} on bucket {migration.source.bucket!r}; nothing is sent")
    with open_store() as store, stop_on_signals() as stop:
        made = planner.plan(store=store, connection=connection, migration=migration, options=options, stop=stop)
    if as_json:
        typer.echo(json.dumps(made.as_json(), ensure_ascii=False))
    else:
        typer.echo(plan_text(made, file=str(file), colour=sys.stdout.isatty()), nl=False)
