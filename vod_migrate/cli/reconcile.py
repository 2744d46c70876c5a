"""The command `reconcile`: what OSS lists, what the results say and what VOD has, compared and repaired."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.audit.balance_text import balance_lines
from vod_migrate.audit.drift import KINDS, REPAIRABLE, Drift
from vod_migrate.audit.reconciliation import Extent
from vod_migrate.audit.table_file import drift_file
from vod_migrate.cli.console import answer, find_run, open_store, say, stop_on_signals, user
from vod_migrate.cli.options import JsonOption, drawn_part, places, takes_run_options
from vod_migrate.cli.run import run_migration
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption, Unfinished
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.report.group_lines import NUMBER
from vod_migrate.report.language import Language
from vod_migrate.report.progress import shown_wait
from vod_migrate.report.terminal import COMMAND, Line, wrapped
from vod_migrate.report.text_format import counted, grouped
from vod_migrate.run.reconciliation import Reconciled, reconcile

_KINDS = ", ".join(drift.value for drift in REPAIRABLE)


@takes_run_options("reconcile")
def reconcile_books(
    of: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="The migration file (YAML), or a migration's name for the file of its latest run."
        ),
    ],
    options: RunOptions,
    sample: Annotated[
        float | None,
        typer.Option(
            min=0.0001,
            max=100,
            metavar="PERCENT",
            help="Look up only a random sample of the registered objects in VOD.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Draw the same sample again: the number that an earlier comparison printed.")
    ] = None,
    repair: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help=f"Show what would be repaired: {_KINDS}, or all. May be repeated."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Carry out the repairs.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all differences to this file: .csv or .jsonl.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare OSS, the results and VOD object by object, and repair differences.

    Without --yes, nothing is changed. The exit code is 6 if there are differences, or if some are left after the repairs.
    """
    millionths, drawn = drawn_part(sample, seed)
    names = repair or []
    wanted = _wanted(names, sampled=sample is not None)
    if yes and not wanted:
        raise BadOption(f"--yes carries out what --repair names: give --repair with {_KINDS} or all, too")
    language = spoken()
    connection = connection_from_environment()
    with open_store() as store, stop_on_signals() as stop:
        path = Path(of)
        migration = load_migration(path) if path.suffix or path.exists() else find_run(store, of).spec
        shown = shown_wait(
            language.say(
                "comparing {name!r} with bucket {bucket!r} and VOD, about 1,900 registered objects a second",
                name=migration.name,
                bucket=migration.source.bucket,
            )
        )
        with shown, drift_file(output, migration.source.bucket) as write:
            found = reconcile(
                store=store,
                connection=connection,
                migration=migration,
                options=options,
                extent=Extent(millionths=millionths, seed=drawn, library=sample is None),
                stop=stop,
                repair=wanted,
                apply=yes,
                by=user(),
                each=write,
            )
    repairs = [word for name in names for word in ("--repair", name)]
    command = shlex.join(["vod-migrate", "reconcile", of, *places(options), *repairs, "--yes"])
    lines = [
        *balance_lines(found.balance, name=migration.name, language=language),
        *_repair_lines(found, command, language),
    ]
    answer({"seed": None if sample is None else drawn, **_as_json(found)}, lines, as_json=as_json)
    if sample is not None:
        say(language.say("a random sample, drawn with --seed {seed}", seed=drawn))
    if output is not None:
        say(language.say("wrote {path}", path=output))
    for error in found.balance.trouble:
        raise error
    if found.repaired is not None and found.repaired.registers:
        run_migration(connection, migration, options, report_dir=None, as_json=as_json)
    if found.left:
        raise Unfinished(f"{counted(found.left, 'difference')} between OSS, the results and VOD; see above")


def _wanted(names: list[str], *, sampled: bool) -> tuple[Drift, ...]:
    if "all" in names:
        names = [drift.value for drift in REPAIRABLE if not (sampled and drift is Drift.NOT_RECORDED)]
    wanted = []
    for name in names:
        if name not in [drift.value for drift in REPAIRABLE]:
            known = name in [drift.value for drift in KINDS]
            why = "cannot be repaired by this command" if known else "is not a kind of difference"
            raise BadOption(f"--repair {name!r} {why}: choose {_KINDS}, or all")
        wanted.append(Drift(name))
    if sampled and Drift.NOT_RECORDED in wanted:
        raise BadOption("--repair not_recorded needs a walk through VOD's whole library: leave --sample out")
    return tuple(dict.fromkeys(wanted))


def _repair_lines(found: Reconciled, command: str, language: Language) -> Iterator[Line]:
    planned = Counter({drift: count for drift, count in found.planned.items() if count})
    if not planned:
        return
    yield "", ""
    if found.repaired is None:
        yield language.say("What would be repaired"), "bold"
        for drift, count in planned.items():
            first = f"  {drift.value:<20}{grouped(count):>{NUMBER}}  "
            yield from wrapped(language.say(KINDS[drift].fix), first=first)
        yield language.say("Nothing was changed. To carry it out:"), "bold"
        yield f"  {command}", COMMAND
        return
    yield language.say("What was repaired"), "bold"
    for drift, count in found.repaired.done.items():
        missed = planned[drift] - count
        told = language.say("of {n}", n=grouped(planned[drift]))
        if missed:
            told += language.count(missed, "; {n} object had changed meanwhile", "; {n} objects had changed meanwhile")
        yield from wrapped(told, first=f"  {drift.value:<20}{grouped(count):>{NUMBER}}  ")
    if found.repaired.registers:
        now = language.count(
            found.repaired.registers, "A run now registers {n} object.", "A run now registers {n} objects."
        )
        yield from wrapped(now)


def _as_json(found: Reconciled) -> dict[str, object]:
    repaired = found.repaired
    return {
        **found.balance.as_json(),
        "planned": {drift.value: count for drift, count in found.planned.items()},
        "repaired": None
        if repaired is None
        else {
            "run_id": repaired.run_id,
            "done": {drift.value: count for drift, count in repaired.done.items()},
            "registers": repaired.registers,
        },
        "left": found.left,
    }
