"""The command `plan`, and `run --dry-run`: what a run would do, for people and for machines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from vod_migrate.cli.console import JsonOption, open_store, say, stop_on_signals
from vod_migrate.cli.options import (
    CallsPerSecondOption,
    CodeOption,
    DateOption,
    FileArgument,
    IgnoreWindowOption,
    LimitOption,
    MaxCallsOption,
    MaxMinutesOption,
    MaxObjectsOption,
    ModeOption,
    ModifiedSinceOption,
    PrefixOption,
)
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import Mode, RunOptions, parse_options


def show_plan(file: Path, migration: Migration, options: RunOptions, *, as_json: bool) -> None:
    """Makes a plan and prints it."""
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.plan.text import plan_text  # noqa: PLC0415 - needs rich
    from vod_migrate.run import planning_run  # noqa: PLC0415 - slow SDK imports

    connection = connection_from_environment()
    if sys.stderr.isatty():
        say(f"planning {migration.name!r} on bucket {migration.source.bucket!r}; nothing is sent")
    with open_store() as store, stop_on_signals() as stop:
        made = planning_run.plan(store=store, connection=connection, migration=migration, options=options, stop=stop)
    if as_json:
        typer.echo(json.dumps(made.as_json(), ensure_ascii=False))
    else:
        typer.echo(plan_text(made, file=str(file), colour=sys.stdout.isatty()), nl=False)


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
