"""The command `report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.cli.console import RunArgument, find_run, name_files, open_store
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.spoken import spoken
from vod_migrate.cli.streams import json_text
from vod_migrate.cli.watch import EVERY, EveryOption, Glance, WatchOption, show
from vod_migrate.errors import BadOption
from vod_migrate.report.files import write_report
from vod_migrate.report.loader import load_report
from vod_migrate.report.progress import shown_wait
from vod_migrate.report.text import render_text


def report(
    of: RunArgument,
    output: Annotated[
        Path | None, typer.Option(help="Write HTML, failures CSV and mapping CSV into this folder.")
    ] = None,
    watching: WatchOption = False,
    every: EveryOption = EVERY,
    as_json: JsonOption = False,
) -> None:
    """Print a run's report, or write it as files."""
    if watching and output is not None:
        raise BadOption("--watch shows the report, and --output writes it: leave one of them out")
    language = spoken()
    with open_store() as store:
        found = find_run(store, of)
        if output is not None:
            with shown_wait(language.say("writing the report")):
                files = write_report(store, found.run_id, output, language=language)
            name_files(files, language)

        def look() -> Glance:
            loaded = load_report(store, found.run_id)
            text = (
                json_text(loaded.as_json())
                if as_json
                else render_text(loaded, colour=sys.stdout.isatty(), language=language)
            )
            facts = (loaded.run.state, loaded.counts, loaded.calls, loaded.failures, loaded.actions)
            return Glance(text=text, facts=facts, running=loaded.run.running)

        show(look, watching=watching, seconds=every)
