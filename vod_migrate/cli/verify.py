"""The command `verify`."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from vod_migrate.audit.media_states import MediaStates, Playback
from vod_migrate.audit.verification import WRONG, Verification, verify
from vod_migrate.cli.console import find_run, open_store, say, stop_on_signals
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption, Unfinished
from vod_migrate.report.group_lines import LABEL, NUMBER
from vod_migrate.report.terminal import COLUMNS, Line, cut, rendered, wrapped
from vod_migrate.report.text_format import counted, grouped, visible
from vod_migrate.results.registered import ALL_PARTS

_MEANING = {
    Playback.PLAYABLE: ("Playable", "VOD can play them"),
    Playback.STORED: ("Stored", "in VOD as files; neither a template group nor a workflow processes them"),
    Playback.PROCESSING: ("Being processed", "VOD has not finished with them: verify again later"),
    Playback.FAILED: ("Cannot be played", "processing failed, or VOD has blocked them"),
    Playback.SOURCE_DELETED: ("Source deleted", "the file in the bucket is gone: put it back, then verify again"),
    Playback.MISSING: ("Not in VOD", "deleted there: `reconcile` registers them again"),
    Playback.OTHER_FILE: ("Another file", "VOD's media is of another file than the one that was registered"),
}
_STYLE = {Playback.PLAYABLE: "green", Playback.PROCESSING: "yellow", **dict.fromkeys(WRONG, "red")}


def check_media(
    of: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run's ID for what it registered, or a migration's name for all it has."),
    ],
    sample: Annotated[
        float | None, typer.Option(min=0.0001, max=100, metavar="PERCENT", help="Check a random part of the objects.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw the same part again: the number that an earlier check printed.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask VOD whether it has what was registered, and can play it.

    Twenty objects a call, within a quota of its own. The exit code is 6 if a media is missing, cannot be played or is of another file.
    """
    if seed is not None and sample is None:
        raise BadOption("--seed draws a part of the objects: give --sample, too")
    drawn = seed if seed is not None else random.randrange(2**31)  # noqa: S311 - a draw, not secrecy
    connection = connection_from_environment()
    with open_store() as store, stop_on_signals() as stop:
        run = find_run(store, of)
        rules = run.spec.register_
        done = verify(
            MediaStates(connection, store, stop=stop),
            store.registered_objects(
                run,
                whole=run.run_id != of,
                millionths=ALL_PARTS if sample is None else max(1, round(sample / 100 * ALL_PARTS)),
                seed=drawn,
            ),
            processed=bool(rules.workflow_id) or rules.template_group_id not in (None, "VOD_NO_TRANSCODE"),
            stop=stop,
        )
    if as_json:
        print_json({"seed": None if sample is None else drawn, **done.as_json()})
    else:
        typer.echo(rendered(_lines(of, done), colour=sys.stdout.isatty()), nl=False)
        if sample is not None:
            say(f"a random part, drawn by --seed {drawn}")
    if done.wrong:
        raise Unfinished(
            f"{counted(done.wrong, 'registered object')} cannot be played in VOD; the reasons are shown above"
        )


def _lines(of: str, done: Verification) -> Iterator[Line]:
    yield f"{visible(of)}: what VOD has", "bold cyan"
    if not done.objects:
        yield "No registered object to check.", ""
        return
    yield from wrapped(
        f"{counted(done.counts[Playback.PLAYABLE], 'object')} of {grouped(done.objects)} can be played.", style="bold"
    )
    yield "", ""
    for state in Playback:
        if number := done.counts[state]:
            label, meaning = _MEANING[state]
            yield f"  {label:<{LABEL}}{grouped(number):>{NUMBER}}  {meaning}", _STYLE.get(state, "")
            for one in done.samples.get(state, []):
                detail = f": {visible(one.detail)}" if one.detail else ""
                yield f"    e.g. {cut(visible(one.key), COLUMNS - 9)}", "dim"
                yield from wrapped(f"{one.media_id}{detail}", first="         ", style="dim")
