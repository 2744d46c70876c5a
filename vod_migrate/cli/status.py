"""The command `status`."""

from __future__ import annotations

from typing import Annotated

import typer

from vod_migrate.cli.completion import complete_run
from vod_migrate.cli.console import open_store
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.streams import print_json
from vod_migrate.report.status import render_status, status_rows


def status(
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="A run's ID, or a migration's name; all runs by default.", autocompletion=complete_run
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many runs, newest first.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the newest runs and their counts."""
    with open_store() as store:
        rows = status_rows(store, of=of, most=most)
    if as_json:
        for row in rows:
            print_json(row)
    else:
        typer.echo(render_status(rows))
