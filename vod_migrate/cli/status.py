"""The command `status`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vod_migrate.cli.console import JsonOption, open_store


def status(
    of: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run's id, or a migration's name; all without it.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many runs, newest first.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Show the newest runs and their numbers."""
    from vod_migrate.report.status import render_status, status_rows  # noqa: PLC0415 - needs the store

    with open_store() as store:
        rows = status_rows(store, of=of, most=most)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        typer.echo(render_status(rows))
