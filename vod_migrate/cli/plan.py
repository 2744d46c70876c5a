"""The command `plan`, and `run --dry-run`: what a run would do, for people and for machines."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import typer

from vod_migrate.cli.console import open_store, say, stop_on_signals
from vod_migrate.cli.options import FileArgument, JsonOption, takes_run_options
from vod_migrate.cli.spoken import spoken
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.migration.changed_settings import with_settings
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.plan.text import plan_text, sentence
from vod_migrate.report.progress import shown_wait
from vod_migrate.run import planning_run
from vod_migrate.run.notification import Messenger, tell_approval


@takes_run_options("plan")
def plan(file: FileArgument, options: RunOptions, as_json: JsonOption = False) -> None:
    """Show what a run would do: what is sent, what is left out or fails and why, how many calls, how long. Sends nothing."""
    show_plan(file, with_settings(load_migration(file), options.settings or ()), options, as_json=as_json)


def show_plan(file: Path, migration: Migration, options: RunOptions, *, as_json: bool) -> None:
    """Makes a plan and prints it."""
    connection, language = connection_from_environment(), spoken()
    told = language.say(
        "planning {name!r} on bucket {bucket!r}; nothing is sent", name=migration.name, bucket=migration.source.bucket
    )
    with open_store() as store, stop_on_signals() as stop:
        with shown_wait(told):
            made = planning_run.plan(
                store=store, connection=connection, migration=migration, options=options, stop=stop
            )
        if migration.require_approval and made.work:
            unsent = tell_approval(store, made.run_id, Messenger(stop=stop), sentence=partial(sentence, made), link="")
            if unsent:
                say(language.pair(language.say("Warning"), unsent))
    if as_json:
        print_json(made.as_json())
    else:
        typer.echo(plan_text(made, file=str(file), colour=sys.stdout.isatty(), language=language), nl=False)
