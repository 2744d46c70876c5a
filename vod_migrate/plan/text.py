"""A plan for a terminal (at most 100 columns), for the page on which Airflow asks for an approval, and as files."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from vod_migrate.migration.options import Mode
from vod_migrate.migration.prefixes import empty_prefix_hint
from vod_migrate.plan.cost import money
from vod_migrate.plan.model import Duplicates, Plan
from vod_migrate.report.files import write_texts
from vod_migrate.report.group_lines import (
    LABEL,
    MOST_SAMPLES,
    NUMBER,
    failure_group_lines,
    hint_lines,
    left_out_lines,
    sample_line,
)
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import COLUMNS, COMMAND, Line, cut, padded, rendered, wrapped
from vod_migrate.report.text_format import duration, grouped, moment, rate, visible, volume

_FIELD = 14
_MOST_MARKDOWN = 30_000
"""Characters of a plan on Airflow's page; far more than anybody reads, far fewer than a row of its database holds."""


NUMBERS = {
    "Listed": ("listed", ""),
    "Left out": ("left_out_objects", "by the selection"),
    "Registered before": ("unchanged", "not sent again"),
    "Failed before": ("failed_before", "left alone; mode failed sends them"),
    "Changed": ("changed", "content changed since registration: not sent"),
    "Owned elsewhere": ("owned_elsewhere", "belongs to another migration"),
    "Queued elsewhere": ("queued_elsewhere", "another run is working on them"),
    "Gone": ("gone", "known before, no longer in the source"),
    "New": ("new", ""),
    "Sent again": ("again", "failed or registered before"),
    "Leftovers": ("leftovers", "of earlier runs, sent along"),
    "Leftovers left out": ("leftovers_left_out", "of earlier runs, no longer selected"),
    "Broken rows": ("broken_rows", "of the manifest"),
    "Would fail": ("would_fail", "of these, explained below"),
    "Would be sent": ("to_send", ""),
}
"""The numbers of a plan by their labels, in the order of the lines: the name among its fields, and what it means."""

REPEATED = (
    (
        "{n} titles occur more than once, on {objects} objects",
        "Check the column or template that they come from: registering an object again does not change the title of its media.",
    ),
    (
        "{n} ReferenceIds occur more than once, on {objects} objects",
        "VOD accepts a ReferenceId for one media only, so all but one of the objects that share it would fail. Make them unique.",
    ),
    ("{n} file names occur more than once, on {objects} objects", ""),
)
"""What is said of titles, ReferenceIds and file names that several objects have, and a warning."""


def plan_text(plan: Plan, *, file: str | None = None, colour: bool = False, language: Language = ENGLISH) -> str:
    """The plan as text that ends with a newline. file: the migration file, for the command that runs the plan.

    Foreign text never brings control characters along: they are shown, not sent.
    """
    return rendered(_lines(plan, file, language), colour=colour)


def plan_markdown(plan: Plan) -> str:
    """The plan in Markdown: what matters as a table, everything as it is printed. Keys and titles stand as code only."""
    rows = [
        ("would be sent", grouped(plan.to_send)),
        ("would fail", grouped(plan.would_fail)),
        ("left out", grouped(plan.left_out_objects)),
        ("calls", grouped(plan.batches.calls)),
        ("time", f"{duration(plan.seconds)} at {rate(plan.rate.calls_per_second)} calls/s"),
        ("digest", f"`{plan.digest}`"),
    ]
    if plan.cost is not None:
        rows.insert(-1, ("cost", f"{money(plan.cost.total)} {plan.cost.currency}"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    text = plan_text(plan)
    if len(text) > _MOST_MARKDOWN:
        text = text[:_MOST_MARKDOWN] + "\n… the rest is in the log of the task that planned\n"
    # A fence longer than any in the text cannot be closed by it.
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"| | |\n|---|---|\n{table}\n\n{fence}text\n{text}{fence}\n"


def write_plan(plan: Plan, directory: Path) -> None:
    """Writes `<run>.plan.txt` and `<run>.plan.json` beside the reports, each complete or not at all.

    Raises:
        BadSetting: the directory cannot be written.
    """
    body = json.dumps(plan.as_json(), ensure_ascii=False, indent=2) + "\n"
    write_texts(directory, plan.run_id, {".plan.json": body, ".plan.txt": plan_text(plan)})


def sentence(plan: Plan, language: Language = ENGLISH) -> str:
    """What would happen, in one sentence."""
    failing = ""
    if plan.would_fail:
        failing = language.count(plan.would_fail, ", and {n} object would fail", ", and {n} objects would fail")
    if not plan.to_send:
        return language.say("Nothing would be sent{failing}.", failing=failing)
    return language.say(
        "{objects} would be sent in {calls}: {time} at {rate} calls/s{failing}.",
        objects=language.count(plan.to_send, "{n} object", "{n} objects"),
        calls=language.count(plan.batches.calls, "{n} call", "{n} calls"),
        time=language.duration(plan.seconds),
        rate=rate(plan.rate.calls_per_second),
        failing=failing,
    )


def command(plan: Plan, file: str | None) -> str:
    """How to run exactly this plan, as it is typed."""
    words = ["vod-migrate", "run", file or "FILE"]
    for name, value in plan.options.items():
        if name in ("dry_run", "approve"):
            continue
        option = "--" + {"prefixes": "prefix", "codes": "code", "settings": "set"}.get(name, name.replace("_", "-"))
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [option] if one is True else [option, str(one)]
    return shlex.join([*words, "--approve", plan.digest[:16]])


def _lines(plan: Plan, file: str | None, language: Language) -> Iterator[Line]:
    yield language.pair(plan.migration, language.say("planned")), "bold cyan"
    yield from wrapped(sentence(plan, language), style="bold")
    yield "", ""
    yield from _facts(plan, language)
    yield from _numbers(plan, language)
    yield from _empty_prefixes(plan, language)
    yield from _calls(plan, language)
    yield from _cost(plan, language)
    yield from _failing(plan, language)
    yield from left_out_lines(plan.left_out, plan.zone, language=language)
    yield from _to_restore(plan, file, language)
    yield from hint_lines(plan.hints, plan.zone, language=language)
    yield from _lookups(plan, language)
    for found, (title, warning) in zip((plan.titles, plan.references, plan.names), REPEATED, strict=True):
        yield from _repeated(found, title, warning, language)
    yield from _descriptions(plan, language)
    yield from _how_to_run(plan, file, language)


def _facts(plan: Plan, language: Language) -> Iterator[Line]:
    comma, mode = language.say(", "), plan.options.get("mode", Mode.NEW.value)
    given = ", ".join(f"{name}={visible(str(value))}" for name, value in plan.options.items() if name != "mode")
    where = language.say("{bucket} (account {account})", bucket=plan.bucket, account=visible(plan.account))
    lasted = language.duration(plan.planning_seconds)
    facts = [
        ("digest", plan.digest),
        ("bucket", f"{where}{comma}{plan.region}"),
        ("mode", mode + (comma + language.say("date {date}", date=plan.local_date) if plan.local_date else "")),
        (
            "planned at",
            f"{moment(plan.made_at, plan.zone)} ({plan.timezone}){comma}{language.say('in {time}', time=lasted)}",
        ),
    ]
    if plan.to_send:
        end = moment(plan.expected_end, plan.zone)
        text = "{time}, if it began then" if plan.runs <= 1 else "{time} after {runs} runs, if it began then"
        facts.append(("would end", language.say(text, time=end, runs=grouped(plan.runs))))
    if plan.window is not None:
        facts.append(("window", language.say("sends {window} only", window=plan.window)))
    if plan.pause_after:
        limits = [language.say("{n} " + unit, n=number) for number, unit in map(str.split, plan.pause_after)]
        facts.append(("pauses", language.say("after {limits}", limits=language.say(" or ").join(limits))))
    if given:
        facts.append(("options", given))
    for name, fact in facts:
        yield from wrapped(fact, first=f"  {padded(language.say(name), LABEL)}")


def _empty_prefixes(plan: Plan, language: Language) -> Iterator[Line]:
    """Prefixes under which the bucket has nothing, with what may be wrong with them."""
    empty = [one.prefix for one in plan.prefixes if not one.listed and one.prefix]
    source = plan.settings.get("source", {})
    if not empty or source.get("manifest") or source.get("inventory"):
        return
    yield "", ""
    for prefix in empty[:MOST_SAMPLES]:
        hint = empty_prefix_hint(prefix, plan.bucket)
        told = language.say("nothing in the bucket begins with {prefix}", prefix=visible(repr(prefix)))
        yield from wrapped(language.pair(told, hint) if hint else told, first="  ! ", style="yellow")
    if len(empty) > MOST_SAMPLES:
        more = language.count(len(empty) - MOST_SAMPLES, "and with {n} more prefix", "and with {n} more prefixes")
        yield f"  ! {more}", "yellow"


def _numbers(plan: Plan, language: Language) -> Iterator[Line]:
    prefixes = sum(1 for one in plan.prefixes if one.listed)
    found = language.say("under {n} prefixes", n=grouped(prefixes)) if prefixes > 1 else ""
    yield "", ""
    for label, (name, note) in NUMBERS.items():
        number = getattr(plan, name)
        if number or label in ("Listed", "Would be sent"):
            told = found if label == "Listed" else language.say(note)
            style = "red" if label == "Would fail" else ""
            yield f"  {padded(language.say(label), LABEL)}{grouped(number):>{NUMBER}}  {told}", style


def _calls(plan: Plan, language: Language) -> Iterator[Line]:
    if not plan.to_send:
        return
    batches, planned = plan.batches, plan.rate
    calls = language.count(batches.calls, "{n} call", "{n} calls")
    parts = [calls + language.say(", {n} files a call", n=f"{batches.files_per_call:.2f}")]
    if batches.cut_short:
        parts.append(
            language.count(
                batches.cut_short,
                "{n} call with fewer than ten because of register.max_request_bytes",
                "{n} calls with fewer than ten because of register.max_request_bytes",
            )
        )
    yield "", ""
    yield from wrapped(language.say("; ").join(parts), style="bold")
    told = language.say(
        "{rate} calls/s is {set_by}; retries, other runs and other programs on the account add to this",
        rate=rate(planned.calls_per_second),
        set_by=language.say(planned.set_by),
    )
    yield from wrapped(told, first="  ")
    total = language.say("{size} in the bucket", size=volume(plan.bytes))
    if plan.size_unknown:
        unknown = language.count(plan.size_unknown, "{n} object of unknown size", "{n} objects of unknown size")
        total += language.say(", ") + unknown
    yield total, "bold"
    for one in plan.classes:
        yield (
            f"  {padded(visible(language.say(one.name)), LABEL)}{grouped(one.count):>{NUMBER}}  {volume(one.bytes)}",
            "",
        )


def _cost(plan: Plan, language: Language) -> Iterator[Line]:
    cost = plan.cost
    if cost is None:
        return
    yield "", ""
    yield language.pair(language.say("Cost, by the prices in the file"), f"{money(cost.total)} {cost.currency}"), "bold"
    for line in cost.lines:
        what = line.what.partition(" (")[0]
        yield from wrapped(line.arithmetic.replace(what, language.say(what)), first="  ")
    if cost.unsized:
        without = language.count(
            cost.unsized,
            "excluding {n} object of unknown size",
            "excluding {n} objects of unknown size",
        )
        yield from wrapped(without, first="  ", style="yellow")


def _failing(plan: Plan, language: Language) -> Iterator[Line]:
    if not plan.failing:
        return
    yield "", ""
    heading = language.count(
        plan.would_fail, "{n} object would fail, without a call", "{n} objects would fail, without a call"
    )
    yield heading, "bold red"
    for group in plan.failing:
        yield from failure_group_lines(group, language=language)


def _to_restore(plan: Plan, file: str | None, language: Language) -> Iterator[Line]:
    if not plan.to_restore:
        return
    yield "", ""
    told = language.count(
        plan.to_restore,
        "{n} object ({size}) would have to be restored before VOD can read it. To see the details, and to begin:",
        "{n} objects ({size}) would have to be restored before VOD can read them. To see the details, and to begin:",
        size=volume(plan.to_restore_bytes),
    )
    yield from wrapped(told)
    yield f"  {shlex.join(['vod-migrate', 'restore', file or 'FILE'])}", COMMAND


def _lookups(plan: Plan, language: Language) -> Iterator[Line]:
    lookups = plan.lookups
    if lookups.categories_to_make:
        yield "", ""
        heading = language.count(
            lookups.categories_to_make, "{n} category would be created", "{n} categories would be created"
        )
        yield heading, "bold"
        for path in lookups.category_samples:
            yield f"  {cut(visible(path), COLUMNS - 2)}", ""
    if lookups.covers_checked:
        yield "", ""
        told = language.count(
            lookups.covers_checked,
            "{n} cover checked, {missing} of them missing",
            "{n} covers checked, {missing} of them missing",
            missing=grouped(lookups.covers_missing),
        )
        if lookups.covers_trusted:
            told += language.say("; {n} more were not checked", n=grouped(lookups.covers_trusted))
        yield from wrapped(told)


def _repeated(found: Duplicates, title: str, warning: str, language: Language) -> Iterator[Line]:
    if not found.texts:
        return
    yield "", ""
    yield language.say(title, n=grouped(found.texts), objects=grouped(found.objects)), "bold"
    if warning:
        yield from wrapped(language.say(warning), first="  ", style="yellow")
    for one in found.samples[:MOST_SAMPLES]:
        times = language.say("{n} times", n=grouped(one.count))
        yield f"  {times} {cut(visible(one.text), COLUMNS - 20)}", ""
        for key in one.keys:
            yield sample_line(key, language)


def _descriptions(plan: Plan, language: Language) -> Iterator[Line]:
    if not plan.samples:
        return
    yield "", ""
    yield language.say("What would be sent, for example"), "bold"
    for sample in plan.samples:
        yield f"  {cut(visible(sample.key), COLUMNS - 2)}", ""
        yield f"    {language.say(', ').join(map(language.say, sample.why.split(', ')))}", "dim"
        for name, value in sample.metadata.items():
            yield f"    {name:<{_FIELD}}{cut(visible(str(value)), COLUMNS - 4 - _FIELD)}", ""


def _how_to_run(plan: Plan, file: str | None, language: Language) -> Iterator[Line]:
    if not plan.to_send:
        return
    yield "", ""
    if plan.origin == "airflow":
        yield from wrapped(
            language.say(
                "To send exactly this: approve it on Airflow's page of required actions, or trigger the DAG with the same "
                "options and this digest as `approve`"
            )
        )
        return
    yield language.say("To send exactly this, without objects that change or vanish in the meantime:"), "bold"
    # Never wrapped: it is there to be copied.
    yield f"  {command(plan, file)}", COMMAND
