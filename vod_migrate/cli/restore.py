"""The command `restore`: what a migration would register if it were not archived, and how to make it readable."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from vod_migrate.cli.console import open_store, say, stop_on_signals
from vod_migrate.cli.options import FileArgument, JsonOption, takes_run_options
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption, Unfinished
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.report.group_lines import LABEL, NUMBER, sample_line
from vod_migrate.report.terminal import COMMAND, Line, rendered, wrapped
from vod_migrate.report.text_format import counted, grouped, moment, visible, volume
from vod_migrate.run.request import Origin, build_request
from vod_migrate.run.restoration import MOST_DAYS, TIERS, Amount, Restoration, RestoreOrder, RestoreResult

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "PIB": 2**50}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_EVERY_TIER = ("Expedited", "Standard", "Bulk")


@takes_run_options("restore")
def restore(
    file: FileArgument,
    options: RunOptions,
    tier: Annotated[
        str,
        typer.Option(
            metavar="TIER",
            help="Expedited, Standard or Bulk: how fast, and so how expensive. DeepColdArchive has no Bulk, Archive has one tier only.",
        ),
    ] = "Standard",
    days: Annotated[
        int, typer.Option(min=1, max=365, help="For how many days each copy can be read; of class Archive at most 7.")
    ] = 7,
    max_objects: Annotated[int | None, typer.Option(min=1, help="Begin with at most this many objects.")] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Begin with at most this much, e.g. 500GB or 2TB.")
    ] = None,
    begin: Annotated[
        bool, typer.Option("--begin", help="Restore; without it, only show what would be restored.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore the archived objects that a run would register. Without --begin, only show them. Run it again to continue."""
    chosen = next((name for name in _EVERY_TIER if name.lower() == tier.strip().lower()), None)
    if chosen is None:
        raise BadOption(f"--tier {tier!r} is not a tier: choose {', '.join(_EVERY_TIER)}")
    order = RestoreOrder(
        days=days,
        tier=chosen,
        most_objects=max_objects,
        most_bytes=None if max_bytes is None else _bytes(max_bytes),
        begin=begin,
    )
    migration = load_migration(file)
    connection = connection_from_environment()
    asked = build_request(connection=connection, migration=migration, options=options, origin=Origin())
    for warning in _warnings(migration, days):
        say(f"vod-migrate: {warning}")
    with open_store() as store, stop_on_signals() as stop:
        work = Restoration(store=store, connection=connection, asked=asked, order=order, stop=stop)
        result = work.run()
    if as_json:
        print_json(_as_json(result, order))
    else:
        lines = _lines(migration, result, order, _command(file, options, order, max_bytes))
        typer.echo(rendered(lines, colour=sys.stdout.isatty()), nl=False)
    if result.stopped is not None:
        raise result.stopped
    refused = sum(one.objects for one in result.refused.values())
    if begin and refused:
        raise Unfinished(f"{counted(refused, 'object')} could not be restored; the reasons are shown above")


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(found[2].upper()) if found is not None else None
    if found is None or unit is None or float(found[1]) <= 0:
        raise BadOption(f"--max-bytes {text!r} is not a size: write a number of bytes, or e.g. 500GB or 2TB")
    return int(float(found[1]) * unit)


def _warnings(migration: Migration, days: int) -> Iterator[str]:
    select = migration.select
    if select.archived == "skip":
        yield (
            "select.archived is skip, so runs leave restored copies out: set select.archived: restored in the file, or change the "
            "storage class of the objects once they can be read"
        )
    if select.archived == "restored" and days < select.restored_min_days:
        yield (
            f"--days {days} is below select.restored_min_days ({select.restored_min_days}), so no run would take these copies: ask for more "
            "days, or lower restored_min_days"
        )


def _command(file: Path, options: RunOptions, order: RestoreOrder, size: str | None) -> str:
    words = ["vod-migrate", "restore", str(file), "--tier", order.tier, "--days", str(order.days)]
    for prefix in options.prefixes or ():
        words += ["--prefix", prefix]
    if options.date is not None:
        words += ["--date", options.date.isoformat()]
    if options.modified_since is not None:
        words += ["--modified-since", options.modified_since.isoformat()]
    if order.most_objects is not None:
        words += ["--max-objects", str(order.most_objects)]
    if size is not None:
        words += ["--max-bytes", size]
    return shlex.join([*words, "--begin"])


def _lines(migration: Migration, result: RestoreResult, order: RestoreOrder, command: str) -> Iterator[Line]:
    chosen = _total(result.chosen)
    yield f"{migration.name}: {'restoring' if order.begin else 'what would be restored'}", "bold cyan"
    if order.begin:
        yield from wrapped(f"{_amount(result.begun)} began to be restored.", style="bold")
    else:
        yield from wrapped(f"{_amount(_total(result.wanted))} would have to be restored.", style="bold")
    yield "", ""
    for name, amount in sorted(result.wanted.items()):
        yield f"  {name:<{LABEL}}{grouped(amount.objects):>{NUMBER}}  {volume(amount.bytes)}, {_terms(name, order)}", ""
    yield from _others(result, migration.zone)
    for why, refusals in result.refused.items():
        yield "", ""
        yield from wrapped(f"{counted(refusals.objects, 'object')} cannot be restored: {visible(why)}", style="red")
        for sample in refusals.samples:
            yield sample_line(sample)
    if result.limited:
        yield "", ""
        ends = "run the command again to go on" if order.begin else f"one call begins with {_amount(chosen)}"
        yield from wrapped(f"The limit given ends it before everything is restored: {ends}.")
    if not order.begin and chosen.objects:
        yield "", ""
        yield "Nothing was begun. OSS charges for what it restores, by class, tier and size. To begin:", "bold"
        yield f"  {command}", COMMAND


def _others(result: RestoreResult, zone: ZoneInfo) -> Iterator[Line]:
    until = "" if result.expires is None else f"the first copy expires at {moment(result.expires, zone)}"
    rows = [
        ("Being restored", result.ongoing, "not readable yet"),
        ("Readable copies", result.readable, until),
        ("Registered before", result.registered, "archived since: not restored"),
    ]
    for label, number, note in rows:
        if number:
            yield f"  {label:<{LABEL}}{grouped(number):>{NUMBER}}  {note}", ""


def _terms(name: str, order: RestoreOrder) -> str:
    days = counted(min(order.days, MOST_DAYS.get(name, order.days)), "day")
    most = ", the most that OSS allows" if order.days > MOST_DAYS.get(name, order.days) else ""
    return f"tier {order.tier}, {days}{most}" if TIERS.get(name) else f"{days}{most}"


def _amount(amount: Amount) -> str:
    return f"{counted(amount.objects, 'object')} ({volume(amount.bytes)})"


def _total(amounts: dict[str, Amount]) -> Amount:
    return Amount(
        objects=sum(one.objects for one in amounts.values()), bytes=sum(one.bytes for one in amounts.values())
    )


def _as_json(result: RestoreResult, order: RestoreOrder) -> dict[str, Any]:
    def plain(amounts: dict[str, Amount]) -> dict[str, Any]:
        return {name: {"objects": one.objects, "bytes": one.bytes} for name, one in sorted(amounts.items())}

    return {
        "tier": order.tier,
        "days": order.days,
        "to_restore": plain(result.wanted),
        "chosen": plain(result.chosen),
        "begun": {"objects": result.begun.objects, "bytes": result.begun.bytes},
        "being_restored": result.ongoing,
        "readable": result.readable,
        "first_expiry": None if result.expires is None else result.expires.isoformat(),
        "registered": result.registered,
        "refused": [
            {"reason": why, "objects": one.objects, "samples": one.samples} for why, one in result.refused.items()
        ],
        "limited": result.limited,
    }
