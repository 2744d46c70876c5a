"""The command `restore`: what a migration would register if it were not archived, and how to make it readable."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from vod_migrate.cli.console import answer, open_store, say, stop_on_signals
from vod_migrate.cli.options import FileArgument, JsonOption, places, takes_run_options
from vod_migrate.cli.spoken import spoken
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption, Unfinished
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.report.group_lines import LABEL, NUMBER, sample_line
from vod_migrate.report.language import Language
from vod_migrate.report.terminal import COMMAND, Line, padded, wrapped
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
            help="Expedited, Standard or Bulk: the faster, the more expensive. DeepColdArchive has no Bulk, and Archive has only one tier.",
        ),
    ] = "Standard",
    days: Annotated[
        int,
        typer.Option(min=1, max=365, help="For how many days each copy can be read; at most 7 for the class Archive."),
    ] = 7,
    max_objects: Annotated[int | None, typer.Option(min=1, help="Restore at most this many objects.")] = None,
    max_bytes: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Restore at most this many bytes, e.g. 500GB or 2TB.")
    ] = None,
    begin: Annotated[
        bool, typer.Option("--begin", help="Start the restores; without it, only show what would be restored.")
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
    language = spoken()
    migration = load_migration(file)
    connection = connection_from_environment()
    asked = build_request(connection=connection, migration=migration, options=options, origin=Origin())
    for warning in _warnings(migration, days):
        say(f"vod-migrate: {language.translate(warning)}")
    with open_store() as store, stop_on_signals() as stop:
        work = Restoration(store=store, connection=connection, asked=asked, order=order, stop=stop)
        result = work.run()
    lines = _lines(migration, result, order, _command(file, options, order, max_bytes), language)
    answer(_as_json(result, order), lines, as_json=as_json)
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
            f"--days {days} is below select.restored_min_days ({select.restored_min_days}), so no run would register these copies: ask for more "
            "days, or lower restored_min_days"
        )


def _command(file: Path, options: RunOptions, order: RestoreOrder, size: str | None) -> str:
    words = ["vod-migrate", "restore", str(file), "--tier", order.tier, "--days", str(order.days), *places(options)]
    if order.most_objects is not None:
        words += ["--max-objects", str(order.most_objects)]
    if size is not None:
        words += ["--max-bytes", size]
    return shlex.join([*words, "--begin"])


def _lines(
    migration: Migration, result: RestoreResult, order: RestoreOrder, command: str, language: Language
) -> Iterator[Line]:
    chosen = _total(result.chosen)
    title = language.say("restoring") if order.begin else language.say("what would be restored")
    yield language.pair(migration.name, title), "bold cyan"
    summary = (
        language.say("Restores started: {amount}.", amount=_amount(result.begun, language))
        if order.begin
        else language.say("Not readable without a restore: {amount}.", amount=_amount(_total(result.wanted), language))
    )
    yield from wrapped(summary, style="bold")
    yield "", ""
    for name, amount in sorted(result.wanted.items()):
        terms = language.say(", ").join((volume(amount.bytes), *_terms(name, order, language)))
        yield f"  {name:<{LABEL}}{grouped(amount.objects):>{NUMBER}}  {terms}", ""
    yield from _others(result, migration.zone, language)
    for why, refusals in result.refused.items():
        yield "", ""
        refused = language.count(refusals.objects, "{n} object cannot be restored", "{n} objects cannot be restored")
        yield from wrapped(language.pair(refused, visible(language.translate(why))), style="red")
        for sample in refusals.samples:
            yield sample_line(sample, language)
    if result.limited:
        yield "", ""
        limit = (
            language.say("The limit was reached before everything was restored. Run the command again to continue.")
            if order.begin
            else language.say(
                "The limit does not cover everything: one call restores {amount}.", amount=_amount(chosen, language)
            )
        )
        yield from wrapped(limit)
    if not order.begin and chosen.objects:
        yield "", ""
        charged = language.say("Nothing was restored. OSS charges for restores by class, tier and size. To start them:")
        yield charged, "bold"
        yield f"  {command}", COMMAND


def _others(result: RestoreResult, zone: ZoneInfo, language: Language) -> Iterator[Line]:
    until = (
        ""
        if result.expires is None
        else language.say("the first copy expires at {time}", time=moment(result.expires, zone))
    )
    rows = [
        (language.say("Being restored"), result.ongoing, language.say("not readable yet")),
        (language.say("Readable copies"), result.readable, until),
        (language.say("Registered before"), result.registered, language.say("archived since: not restored")),
    ]
    for label, number, note in rows:
        if number:
            yield f"  {padded(label, LABEL)}{grouped(number):>{NUMBER}}  {note}", ""


def _terms(name: str, order: RestoreOrder, language: Language) -> Iterator[str]:
    if TIERS.get(name):
        yield language.say("tier {tier}", tier=order.tier)
    yield language.count(min(order.days, MOST_DAYS.get(name, order.days)), "{n} day", "{n} days")
    if order.days > MOST_DAYS.get(name, order.days):
        yield language.say("the most that OSS allows")


def _amount(amount: Amount, language: Language) -> str:
    objects = language.count(amount.objects, "{n} object", "{n} objects")
    return language.say("{objects} ({size})", objects=objects, size=volume(amount.bytes))


def _total(amounts: dict[str, Amount]) -> Amount:
    return Amount(
        objects=sum(one.objects for one in amounts.values()), bytes=sum(one.bytes for one in amounts.values())
    )


def _as_json(result: RestoreResult, order: RestoreOrder) -> dict[str, Any]:
    def plain(amounts: dict[str, Amount]) -> dict[str, Any]:
        return {name: asdict(one) for name, one in sorted(amounts.items())}

    return {
        "tier": order.tier,
        "days": order.days,
        "to_restore": plain(result.wanted),
        "chosen": plain(result.chosen),
        "begun": asdict(result.begun),
        "being_restored": result.ongoing,
        "readable": result.readable,
        "first_expiry": None if result.expires is None else result.expires.isoformat(),
        "registered": result.registered,
        "refused": [{"reason": why, **asdict(one)} for why, one in result.refused.items()],
        "limited": result.limited,
    }
