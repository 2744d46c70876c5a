"""The command `update`: correct descriptions in VOD that differ from the migration file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.audit.correction import CorrectionCounts
from vod_migrate.audit.table_file import table_file
from vod_migrate.cli.console import answer, open_store, say, stop_on_signals, user
from vod_migrate.cli.options import FileArgument, JsonOption, places, takes_run_options
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.doctor.preflight import preflight
from vod_migrate.errors import Unfinished
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.report.group_lines import LABEL, NUMBER, sample_line
from vod_migrate.report.language import Language
from vod_migrate.report.terminal import COMMAND, Line, wrapped
from vod_migrate.report.text_format import counted, grouped, visible
from vod_migrate.run.correction import correct

_COLUMNS = ("key", "media_id", "field", "old", "new")


@takes_run_options("update")
def update(
    file: FileArgument,
    options: RunOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the changes in VOD.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all changes to this file: .csv or .jsonl.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show where the descriptions of registered objects differ from the migration file, and correct them in VOD.

    Without --yes, nothing is changed. The exit code is 6 if a description could not be corrected.
    """
    language = spoken()
    migration = load_migration(file)
    connection = connection_from_environment()
    preflight(connection, migration)
    with table_file(output, _COLUMNS) as write, open_store() as store, stop_on_signals() as stop:
        done = correct(
            store=store,
            connection=connection,
            migration=migration,
            options=options,
            stop=stop,
            by=user(),
            apply=yes,
            each=lambda one: write((one.key, one.media_id, one.name, one.old, one.new)),
        )
    command = shlex.join(["vod-migrate", "update", str(file), *places(options), "--yes"])
    lines = _lines(migration.name, done, applied=yes, command=command, language=language)
    answer({"applied": yes, **done.as_json()}, lines, as_json=as_json)
    if output is not None:
        say(language.say("wrote {path}", path=output))
    if yes and done.updated < done.differ:
        raise Unfinished(f"{counted(done.differ - done.updated, 'object')} could not be corrected; see above")


def _lines(name: str, done: CorrectionCounts, *, applied: bool, command: str, language: Language) -> Iterator[Line]:
    yield language.pair(visible(name), language.say("descriptions compared with what was sent")), "bold cyan"
    compared = language.count(
        done.compared,
        "{n} registered object compared; {differ} would get another description now.",
        "{n} registered objects compared; {differ} would get another description now.",
        differ=grouped(done.differ),
    )
    yield from wrapped(compared, style="bold")
    for field, count in done.fields.most_common():
        yield f"  {field:<{LABEL}}{grouped(count):>{NUMBER}}", "yellow"
        for one in done.samples.get(field, ()):
            yield sample_line(one.key, language)
            old = language.say("not set") if one.old is None else visible(str(one.old))
            yield from wrapped(f"{old} → {visible(str(one.new))}", first="         ", style="dim")
    for field, count in done.kept.most_common():
        why = (
            language.say("not changed: a ReferenceId cannot be changed")
            if field == "ReferenceId"
            else language.say("not changed: VOD cannot clear this field")
        )
        yield from wrapped(why, first=f"  {field:<{LABEL}}{grouped(count):>{NUMBER}}  ")
    if done.rejected:
        rejected = language.count(
            done.rejected,
            "{n} object cannot be described with this file, and was left unchanged.",
            "{n} objects cannot be described with this file, and were left unchanged.",
        )
        yield from wrapped(rejected)
    if done.changed:
        changed = language.count(
            done.changed,
            "The content of {n} object has changed since its registration. VOD keeps its MediaId; to transcode it again, "
            "process it in the console.",
            "The content of {n} objects has changed since their registration. VOD keeps their MediaIds; to transcode them again, "
            "process them in the console.",
        )
        yield from wrapped(changed)
        for key in done.changed_keys:
            yield sample_line(key, language)
    if applied:
        yield from _outcome(done, language)
    elif done.differ:
        yield language.say("Nothing was changed. To carry it out:"), "bold"
        yield f"  {command}", COMMAND


def _outcome(done: CorrectionCounts, language: Language) -> Iterator[Line]:
    yield "", ""
    calls = language.count(done.calls, "{n} call", "{n} calls")
    corrected = language.count(
        done.updated,
        "{n} object corrected in VOD with {calls}.",
        "{n} objects corrected in VOD with {calls}.",
        calls=calls,
    )
    yield from wrapped(corrected, style="bold")
    if done.lost:
        lost = language.count(
            done.lost,
            "{n} media is no longer in VOD; `vod-migrate reconcile` names it.",
            "{n} media are no longer in VOD; `vod-migrate reconcile` names them.",
        )
        yield from wrapped(lost, style="red")
    if done.refused:
        refused = language.count(done.refused, "VOD refused {n} correction", "VOD refused {n} corrections")
        yield from wrapped(language.pair(refused, ""), style="red")
        for refusal in done.refusals:
            yield from wrapped(visible(language.translate(refusal)), first="    ", style="dim")
