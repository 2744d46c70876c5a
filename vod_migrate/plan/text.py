"""A plan for a terminal (at most 100 columns), and for the page on which Airflow asks for an approval."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from vod_migrate.migration.prefixes import empty_prefix_hint
from vod_migrate.plan.cost import money
from vod_migrate.plan.model import Duplicates, Plan
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
from vod_migrate.report.text_format import counted, duration, grouped, moment, rate, visible, volume

_FIELD = 14
_MOST_MARKDOWN = 30_000
"""Characters of a plan on Airflow's page; far more than anybody reads, far fewer than a row of its database holds."""


_SAME_TITLES = "Check the column or template that they come from: registering an object again does not change the title of its media."
_SAME_REFERENCES = "VOD accepts a ReferenceId for one media only, so all but one of the objects that share it would fail. Make them unique."


def plan_text(plan: Plan, *, file: str | None = None, colour: bool = False) -> str:
    """The plan as text that ends with a newline. file: the migration file, for the command that runs the plan.

    Foreign text never brings control characters along: they are shown, not sent.
    """
    return rendered(_lines(plan, file), colour=colour)


def plan_markdown(plan: Plan) -> str:
    """The plan in Markdown: what matters as a table, everything as it is printed. Keys and titles stand as code only."""
    rows = [
        ("would be sent", grouped(plan.to_send)),
        ("would fail", grouped(plan.would_fail)),
        ("left out", grouped(sum(one.count for one in plan.left_out))),
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


def sentence(plan: Plan, language: Language = ENGLISH) -> str:
    """What would happen, in one sentence."""
    objects = language.count(plan.would_fail, "{n} object", "{n} objects")
    failing = language.say(", and {objects} would fail", objects=objects) if plan.would_fail else ""
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


def _lines(plan: Plan, file: str | None) -> Iterator[Line]:
    yield f"{plan.migration}: planned", "bold cyan"
    yield from wrapped(sentence(plan), style="bold")
    yield "", ""
    yield from _facts(plan)
    yield from _numbers(plan)
    yield from _empty_prefixes(plan)
    yield from _calls(plan)
    yield from _cost(plan)
    yield from _failing(plan)
    yield from left_out_lines(plan.left_out, plan.zone)
    yield from _to_restore(plan, file)
    yield from hint_lines(plan.hints, plan.zone)
    yield from _lookups(plan)
    yield from _repeated("titles", plan.titles, _SAME_TITLES)
    yield from _repeated("ReferenceIds", plan.references, _SAME_REFERENCES)
    yield from _repeated("file names", plan.names)
    yield from _descriptions(plan)
    yield from _how_to_run(plan, file)


def _facts(plan: Plan) -> Iterator[Line]:
    mode = plan.run_options.mode.value
    given = ", ".join(f"{name}={visible(str(value))}" for name, value in plan.options.items() if name != "mode")
    facts = [
        ("digest", plan.digest),
        ("bucket", f"{plan.bucket} (account {visible(plan.account)}, {plan.region})"),
        ("mode", mode + (f", date {plan.local_date}" if plan.local_date else "")),
        ("planned", f"{moment(plan.made_at, plan.zone)} ({plan.timezone}), in {duration(plan.planning_seconds)}"),
    ]
    if plan.to_send:
        runs = f" after {grouped(plan.runs)} runs" if plan.runs > 1 else ""
        facts.append(("would end", f"{moment(plan.expected_end, plan.zone)}{runs}, if it began then"))
    if plan.window is not None:
        facts.append(("window", f"sends {plan.window} only"))
    if plan.pause_after:
        facts.append(("pauses", f"after {' or '.join(plan.pause_after)}"))
    if given:
        facts.append(("options", given))
    for name, fact in facts:
        yield from wrapped(fact, first=f"  {name:<{LABEL}}")


def _empty_prefixes(plan: Plan) -> Iterator[Line]:
    """Prefixes under which the bucket has nothing, with what may be wrong with them."""
    empty = [one.prefix for one in plan.prefixes if not one.listed and one.prefix]
    source = plan.settings.get("source", {})
    if not empty or source.get("manifest") or source.get("inventory"):
        return
    yield "", ""
    for prefix in empty[:MOST_SAMPLES]:
        hint = empty_prefix_hint(prefix, plan.bucket)
        told = f"nothing in the bucket begins with {visible(repr(prefix))}" + (f": {hint}" if hint else "")
        yield from wrapped(told, first="  ! ", style="yellow")
    if len(empty) > MOST_SAMPLES:
        more = counted(len(empty) - MOST_SAMPLES, "more prefix", "more prefixes")
        yield f"  ! and with {more}", "yellow"


def _numbers(plan: Plan) -> Iterator[Line]:
    prefixes = [one for one in plan.prefixes if one.listed]
    found = f"under {counted(len(prefixes), 'prefix', 'prefixes')}" if len(prefixes) > 1 else ""
    rows = [
        ("Listed", plan.listed, found, True),
        ("Left out", sum(one.count for one in plan.left_out), "by the selection", False),
        ("Registered before", plan.unchanged, "not sent again", False),
        ("Failed before", plan.failed_before, "left alone; mode failed sends them", False),
        ("Changed", plan.changed, "other content since it was registered: not sent", False),
        ("Owned elsewhere", plan.owned_elsewhere, "belongs to another migration", False),
        ("Queued elsewhere", plan.queued_elsewhere, "another run is working on them", False),
        ("Gone", plan.gone, "known before, no longer in the source", False),
        ("New", plan.new, "", False),
        ("Sent again", plan.again, "failed or registered before", False),
        ("Leftovers", plan.leftovers, "of earlier runs, sent along", False),
        ("Leftovers left out", plan.leftovers_left_out, "of earlier runs, no longer selected", False),
        ("Broken rows", plan.broken_rows, "of the manifest", False),
        ("Would fail", plan.would_fail, "of these, explained below", False),
        ("Would be sent", plan.to_send, "", True),
    ]
    yield "", ""
    for label, number, note, always in rows:
        if number or always:
            style = "red" if label == "Would fail" else ""
            yield f"  {label:<{LABEL}}{grouped(number):>{NUMBER}}  {note}", style


def _calls(plan: Plan) -> Iterator[Line]:
    if not plan.to_send:
        return
    batches, planned = plan.batches, plan.rate
    yield "", ""
    short = (
        f"; {counted(batches.cut_short, 'call')} with fewer than ten because of register.max_request_bytes"
        if batches.cut_short
        else ""
    )
    yield from wrapped(
        f"{counted(batches.calls, 'call')}, {batches.files_per_call:.2f} files a call{short}", style="bold"
    )
    yield from wrapped(
        f"{rate(planned.calls_per_second)} calls/s is {planned.set_by}; retries, other runs and other programs on the account add to this",
        first="  ",
    )
    unknown = f", {counted(plan.size_unknown, 'object')} of unknown size" if plan.size_unknown else ""
    yield f"{volume(plan.bytes)} in the bucket{unknown}", "bold"
    for one in plan.classes:
        yield f"  {padded(visible(one.name), LABEL)}{grouped(one.count):>{NUMBER}}  {volume(one.bytes)}", ""


def _cost(plan: Plan) -> Iterator[Line]:
    cost = plan.cost
    if cost is None:
        return
    yield "", ""
    yield f"Cost, by the prices in the file: {money(cost.total)} {cost.currency}", "bold"
    for line in cost.lines:
        yield from wrapped(line.arithmetic, first="  ")
    if cost.unsized:
        yield from wrapped(
            f"without the bytes of {counted(cost.unsized, 'object')} of unknown size", first="  ", style="yellow"
        )


def _failing(plan: Plan) -> Iterator[Line]:
    if not plan.failing:
        return
    yield "", ""
    yield f"{counted(plan.would_fail, 'object')} would fail, without a call", "bold red"
    for group in plan.failing:
        yield from failure_group_lines(group)


def _to_restore(plan: Plan, file: str | None) -> Iterator[Line]:
    if not plan.to_restore:
        return
    yield "", ""
    yield from wrapped(
        f"{counted(plan.to_restore, 'object')} ({volume(plan.to_restore_bytes)}) would have to be restored before VOD can read them. To see the "
        "details, and to begin:"
    )
    yield f"  {shlex.join(['vod-migrate', 'restore', file or 'FILE'])}", COMMAND


def _lookups(plan: Plan) -> Iterator[Line]:
    lookups = plan.lookups
    if lookups.categories_to_make:
        yield "", ""
        yield f"{counted(lookups.categories_to_make, 'category', 'categories')} would be created", "bold"
        for path in lookups.category_samples:
            yield f"  {cut(visible(path), COLUMNS - 2)}", ""
    if lookups.covers_checked:
        yield "", ""
        trusted = f"; {grouped(lookups.covers_trusted)} more were not checked" if lookups.covers_trusted else ""
        yield from wrapped(
            f"{counted(lookups.covers_checked, 'cover')} checked, {grouped(lookups.covers_missing)} of them missing{trusted}"
        )


def _repeated(what: str, found: Duplicates, warning: str = "") -> Iterator[Line]:
    if not found.texts:
        return
    yield "", ""
    yield f"{grouped(found.texts)} {what} occur more than once, on {counted(found.objects, 'object')}", "bold"
    if warning:
        yield from wrapped(warning, first="  ", style="yellow")
    for one in found.samples[:MOST_SAMPLES]:
        yield f"  {grouped(one.count)} times {cut(visible(one.text), COLUMNS - 20)}", ""
        for key in one.keys:
            yield sample_line(key)


def _descriptions(plan: Plan) -> Iterator[Line]:
    if not plan.samples:
        return
    yield "", ""
    yield "What would be sent, for example", "bold"
    for sample in plan.samples:
        yield f"  {cut(visible(sample.key), COLUMNS - 2)}", ""
        yield f"    {sample.why}", "dim"
        for name, value in sample.metadata.items():
            yield f"    {name:<{_FIELD}}{cut(visible(_plain(value)), COLUMNS - 4 - _FIELD)}", ""


def _how_to_run(plan: Plan, file: str | None) -> Iterator[Line]:
    if not plan.to_send:
        return
    yield "", ""
    if plan.origin == "airflow":
        yield from wrapped(
            "To send exactly this: approve it where Airflow asks for it, or trigger the DAG with the same options and this digest as "
            "`approve`"
        )
        return
    yield "To send exactly this, without objects that change or vanish in the meantime:", "bold"
    # Never wrapped: it is there to be copied.
    yield f"  {command(plan, file)}", COMMAND


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
