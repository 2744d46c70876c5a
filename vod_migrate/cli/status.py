"""The command `status`."""

from __future__ import annotations

from typing import Annotated

import typer

from vod_migrate.cli.console import open_store, run_argument
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.spoken import spoken
from vod_migrate.cli.streams import json_text
from vod_migrate.cli.watch import EVERY, EveryOption, Glance, WatchOption, show
from vod_migrate.report.status import render_status, status_rows


def status(
    of: Annotated[str | None, run_argument("A run's ID, or a migration's name; all runs by default.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many runs, newest first.")] = 10,
    watching: WatchOption = False,
    every: EveryOption = EVERY,
    as_json: JsonOption = False,
) -> None:
    """Show the newest runs and their counts."""
    language = spoken()
    with open_store() as store:

        def look() -> Glance:
            rows = status_rows(store, of=of, most=most)
            text = "\n".join(map(json_text, rows)) if as_json else render_status(rows, language=language)
            return Glance(text=text, facts=rows, running=any(row["state"] == "running" for row in rows))

        show(look, watching=watching, seconds=every)
