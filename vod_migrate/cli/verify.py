"""The command `verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from vod_migrate.audit.verification import verify_run
from vod_migrate.cli.console import answer, find_run, open_store, run_argument, say, stop_on_signals
from vod_migrate.cli.options import JsonOption, drawn_part
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import Unfinished
from vod_migrate.report.playback_lines import found_lines
from vod_migrate.report.text_format import counted, visible
from vod_migrate.results.verifications import Scope


def check_media(
    of: Annotated[
        str,
        run_argument("A run's ID for the objects that it registered, or a migration's name for all of its objects."),
    ],
    sample: Annotated[
        float | None, typer.Option(min=0.0001, max=100, metavar="PERCENT", help="Check a random sample of the objects.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw the same sample again: the number that an earlier check printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check in VOD that registered media exist and can be played. The run's report also shows the result.

    Twenty objects a call, within a quota of its own. The exit code is 6 if media are missing, cannot be played or belong to another file.
    """
    millionths, drawn = drawn_part(sample, seed)
    connection = connection_from_environment()
    with open_store() as store, stop_on_signals() as stop:
        run = find_run(store, of)
        done = verify_run(
            store,
            connection,
            run,
            Scope.RUN if run.run_id == of else Scope.MIGRATION,
            millionths=millionths,
            seed=drawn,
            stop=stop,
        )
    language = spoken()
    lines = [
        (language.pair(visible(of), language.say("what VOD has")), "bold cyan"),
        *found_lines(done, language=language),
    ]
    answer({"seed": None if sample is None else drawn, **done.as_json()}, lines, as_json=as_json)
    if sample is not None and not as_json:
        say(language.say("a random sample, drawn with --seed {seed}", seed=drawn))
    if done.wrong:
        raise Unfinished(
            f"{counted(done.wrong, 'registered object')} cannot be played in VOD; the reasons are shown above"
        )
