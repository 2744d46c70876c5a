"""The command `diagnose`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from vod_migrate.audit.diagnosis import Examined, Examiner, codes_without_reason
from vod_migrate.cli.console import RunArgument, answer, find_run, open_store, say, stop_on_signals
from vod_migrate.cli.options import JsonOption
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption, Interrupted
from vod_migrate.report.group_lines import failure_group_lines
from vod_migrate.report.language import Language
from vod_migrate.report.loader import load_report
from vod_migrate.report.model import Report
from vod_migrate.report.terminal import Line
from vod_migrate.report.text_format import grouped, visible


def diagnose(
    run: RunArgument,
    every: Annotated[
        bool, typer.Option("--all", help="Examine all failures, also those that were examined before.")
    ] = False,
    codes: Annotated[
        list[str] | None,
        typer.Option("--code", help="Only failures with this code; by default, those without a reason."),
    ] = None,
    experiments: Annotated[
        int,
        typer.Option(
            min=0,
            max=1000,
            metavar="OBJECTS",
            help="Send up to this many files without a certain cause once more, each alone: first in the other encoding, then without the optional "
            "fields. Files that VOD accepts are registered.",
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Find out why files of a run failed by examining the objects, because VOD gives no reason.

    Each run automatically examines 50 failures of each code; this command examines 50 more, or all.
    """
    language = spoken()
    connection = connection_from_environment()
    with open_store() as store, stop_on_signals() as stop:
        found = find_run(store, run)
        known = store.failure_codes(found)
        if unknown := [code for code in codes or () if code not in known]:
            raise BadOption(
                f"--code {unknown[0]!r}: nothing in run {found.run_id} failed with it; there are: {', '.join(known) or 'none'}"
            )
        examiner = Examiner(store, connection, found, stop=stop, experiments=experiments)
        wanted = codes or codes_without_reason(store, found)
        done = examiner.all(wanted) if every else examiner.sample(wanted, seconds=float("inf"))
        report = load_report(store, found.run_id)
    body = {"run_id": found.run_id, "examined": done.objects, "failures": report.as_json()["failures"]}
    answer(body, _lines(report, done, language), as_json=as_json)
    if stop.is_set():
        raise Interrupted("not all failures were examined; what was found is kept")
    examined = language.count(
        done.objects,
        "examined {n} object, and found a cause for {named}",
        "examined {n} objects, and found a cause for {named}",
        named=grouped(done.named),
    )
    say(examined)


def _lines(report: Report, done: Examined, language: Language) -> Iterator[Line]:
    yield language.pair(visible(report.run.run_id), language.say("why files failed")), "bold cyan"
    if not report.failures:
        yield language.say("Nothing failed."), ""
    elif not done.objects:
        yield language.say("No failure is left to examine; --all examines them again."), ""
    for group in report.failures:
        yield from failure_group_lines(group, language=language)
