"""The command `update`: correct descriptions in VOD that the migration file would write otherwise now."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from vod_migrate.audit.correction import Change, CorrectionCounts
from vod_migrate.audit.table_file import table_file
from vod_migrate.cli.console import open_store, say, stop_on_signals, user
from vod_migrate.cli.options import FileArgument, JsonOption, takes_run_options
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.doctor.preflight import preflight
from vod_migrate.errors import Unfinished
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.report.group_lines import LABEL, NUMBER
from vod_migrate.report.terminal import COLUMNS, COMMAND, Line, cut, rendered, wrapped
from vod_migrate.report.text_format import counted, grouped, visible
from vod_migrate.run.correction import correct

_COLUMNS = ("key", "media_id", "field", "old", "new")


@takes_run_options("update")
def update(
    file: FileArgument,
    options: RunOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Change it in VOD.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every change here: .csv or .jsonl.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where registered objects would be described otherwise now, and correct them in VOD.

    Without --yes nothing is changed. The exit code is 6 if something could not be corrected.
    """
    migration = load_migration(file)
    connection = connection_from_environment()
    preflight(connection, migration)
    writes = nullcontext(lambda _: None) if output is None else table_file(output, _COLUMNS)
    with writes as write, open_store() as store, stop_on_signals() as stop:
        done = correct(
            store=store,
            connection=connection,
            migration=migration,
            options=options,
            stop=stop,
            by=user(),
            apply=yes,
            each=lambda change: write(_cells(change)),
        )
    if as_json:
        print_json({"applied": yes, **done.as_json()})
    else:
        lines = _lines(migration.name, done, applied=yes, command=_command(file, options))
        typer.echo(rendered(lines, colour=sys.stdout.isatty()), nl=False)
    if output is not None:
        say(f"wrote {output}")
    if yes and done.updated < done.differ:
        raise Unfinished(f"{counted(done.differ - done.updated, 'object')} could not be corrected; see above")


def _cells(change: Change) -> tuple[Any, ...]:
    return change.key, change.media_id, change.name, change.old, change.new


def _command(file: Path, options: RunOptions) -> str:
    words = ["vod-migrate", "update", str(file)]
    for prefix in options.prefixes or ():
        words += ["--prefix", prefix]
    if options.date is not None:
        words += ["--date", options.date.isoformat()]
    return shlex.join([*words, "--yes"])


def _lines(name: str, done: CorrectionCounts, *, applied: bool, command: str) -> Iterator[Line]:
    yield f"{visible(name)}: descriptions compared with what was sent", "bold cyan"
    yield from wrapped(
        f"{counted(done.compared, 'registered object')} compared; {grouped(done.differ)} would be described otherwise now.",
        style="bold",
    )
    for field, count in done.fields.most_common():
        yield f"  {field:<{LABEL}}{grouped(count):>{NUMBER}}", "yellow"
        for one in done.samples.get(field, ()):
            yield f"    e.g. {cut(visible(one.key), COLUMNS - 9)}", "dim"
            old = "nothing" if one.old is None else visible(str(one.old))
            yield from wrapped(f"{old} → {visible(str(one.new))}", first="         ", style="dim")
    for field, count in done.kept.most_common():
        why = "a ReferenceId cannot be changed" if field == "ReferenceId" else "VOD cannot clear it"
        yield from wrapped(f"stays as it is: {why}", first=f"  {field:<{LABEL}}{grouped(count):>{NUMBER}}  ")
    if done.rejected:
        yield from wrapped(f"{counted(done.rejected, 'object')} cannot be described now, and were left as they are.")
    if done.changed:
        yield from wrapped(
            f"The content of {counted(done.changed, 'object')} has changed since they were registered. VOD keeps their MediaIds; process "
            "them again in the console if they should be transcoded anew."
        )
        for key in done.changed_keys:
            yield f"    e.g. {cut(visible(key), COLUMNS - 9)}", "dim"
    if applied:
        yield from _outcome(done)
    elif done.differ:
        yield "Nothing was changed. To do it:", "bold"
        yield f"  {command}", COMMAND


def _outcome(done: CorrectionCounts) -> Iterator[Line]:
    yield "", ""
    yield from wrapped(
        f"{counted(done.updated, 'object')} corrected in VOD with {counted(done.calls, 'call')}.", style="bold"
    )
    if done.lost:
        yield from wrapped(
            f"{counted(done.lost, 'media', 'media')} not in VOD: `vod-migrate reconcile` names them.", style="red"
        )
    if done.refused:
        yield from wrapped(f"{counted(done.refused, 'correction')} refused by VOD:", style="red")
        for refusal in done.refusals:
            yield from wrapped(visible(refusal), first="    ", style="dim")
