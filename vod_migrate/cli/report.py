"""The command `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.cli.console import RunArgument, find_run, name_files, open_store
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.streams import print_json
from vod_migrate.report.files import write_report
from vod_migrate.report.loader import load_report
from vod_migrate.report.text import render_text


def report(
    of: RunArgument,
    output: Annotated[
        Path | None, typer.Option(help="Write HTML, failures CSV and mapping CSV into this folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a run's report, or write it as files."""
    with open_store() as store:
        found = find_run(store, of)
        if output is not None:
            name_files(write_report(store, found.run_id, output))
        loaded = load_report(store, found.run_id)
        if as_json:
            print_json(loaded.as_json())
        else:
            typer.echo(render_text(loaded))
