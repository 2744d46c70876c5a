"""The report for a terminal: plain, aligned, at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator

from vod_migrate.report.count_lines import count_lines
from vod_migrate.report.group_lines import (
    LABEL,
    NOT_AS_PLANNED,
    NUMBER,
    OF_EARLIER_RUNS,
    failure_group_lines,
    hint_lines,
    left_out_lines,
)
from vod_migrate.report.headline import headline_of
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.model import RelatedRun, Report
from vod_migrate.report.playback_lines import record_lines
from vod_migrate.report.terminal import COMMAND, Line, padded, rendered, right, wrapped
from vod_migrate.report.text_format import grouped, moment, rate, share, signed, visible

_MOST_PREFIXES = 12
SCAN_NAMES = {"leftovers": "what earlier runs left", "approval": "the comparison with the plan"}
"""What is read apart from prefixes."""
_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "interrupted": "yellow",
    "running": "cyan",
    "paused": "cyan",
    "cancelled": "yellow",
    "planned": "cyan",
}


def render_text(report: Report, *, colour: bool = False, warning: str = "", language: Language = ENGLISH) -> str:
    """The report as text that ends with a newline.

    warning: what went wrong beside the run; it follows the sentence. colour: with the terminal's colour codes. Foreign text never brings any: control characters are shown, not sent.
    """
    return rendered(_lines(report, warning, language), colour=colour)


def _lines(report: Report, warning: str, language: Language) -> Iterator[Line]:
    run = report.run
    yield language.pair(run.migration, language.say(run.state)), f"bold {_COLOURS.get(run.state, '')}".strip()
    yield from wrapped(headline_of(report, language), style="bold")
    if warning:
        yield from wrapped(visible(language.pair(language.say("Warning"), language.translate(warning))), style="yellow")
    if run.stop_message:
        why = language.translate(run.stop_message)
        yield from wrapped(visible(language.pair(run.stop_code or "stopped", why)), style="yellow")
    yield "", ""
    yield from _facts(report, language)
    yield from _number_lines(report, language)
    yield from _call_lines(report, language)
    yield from _failure_lines(report, language)
    for record in report.verifications:
        yield from record_lines(record, run.zone, language=language)
    yield from left_out_lines(report.plan_differences, run.zone, NOT_AS_PLANNED, language=language)
    yield from left_out_lines(report.left_out, run.zone, language=language)
    yield from hint_lines(report.hints, run.zone, language=language)
    yield from left_out_lines(report.leftovers_left_out, run.zone, OF_EARLIER_RUNS, language=language)
    yield from _prefix_lines(report, language)
    yield from _action_lines(report, language)


def _facts(report: Report, language: Language) -> Iterator[Line]:
    run = report.run
    ended = moment(run.finished, run.zone) if run.finished else language.say("still running")
    comma = language.say(", ")
    when = language.say("{begin} to {end}", begin=moment(run.started, run.zone), end=ended)
    facts = [
        ("run", visible(run.run_id)),
        ("bucket", language.say("{bucket} (account {account})", bucket=run.bucket, account=visible(run.account))),
        ("mode", run.mode + (comma + language.say("date {date}", date=run.local_date) if run.local_date else "")),
        ("time", f"{when} ({run.timezone}){comma}{language.duration(run.seconds)}"),
    ]
    given = ", ".join(f"{option.name}={visible(option.value)}" for option in run.options if option.name != "mode")
    if given:
        facts.append(("options", given))
    if report.settled:
        facts.append(("speed", language.say("{rate} objects/s", rate=rate(report.objects_per_second))))
    for name, fact in facts:
        yield f"  {padded(language.say(name), LABEL)}{fact}", ""
    for one in report.parents:
        again = language.count(one.objects, "{n} failure of it sent again", "{n} failures of it sent again")
        first = f"  {padded(language.say('parent run'), LABEL)}"
        yield from wrapped(language.pair(visible(one.run_id), again), first=first)
    for one in report.reruns:
        yield from wrapped(_rerun(one, language), first=f"  {padded(language.say('rerun'), LABEL)}")
    if run.export is not None:
        rows = language.count(run.export.rows, "{n} row", "{n} rows")
        # Whole, since it is there to be copied.
        told = language.say("{rows} to {place}", rows=rows, place=visible(run.export.location))
        yield f"  {padded(language.say('exported'), LABEL)}{told}", COMMAND


def _rerun(one: RelatedRun, language: Language) -> str:
    failures = language.count(one.objects, "{n} failure", "{n} failures")
    state = language.say(one.state)
    sent = language.say(
        "{run} ({state}) sent {failures} again", run=visible(one.run_id), state=state, failures=failures
    )
    return sent + (
        language.say(" with {settings}", settings=", ".join(map(visible, one.settings))) if one.settings else ""
    )


def _action_lines(report: Report, language: Language) -> Iterator[Line]:
    if not report.actions:
        return
    yield "", ""
    yield language.say("Who did what"), "bold"
    for deed in report.actions:
        detail = f" ({visible(language.translate(deed.detail))})" if deed.detail else ""
        said = f"{visible(deed.who)} {language.say(deed.text)}{detail}"
        yield from wrapped(said, first=f"  {moment(deed.at, report.run.zone)}  ")


def _number_lines(report: Report, language: Language) -> Iterator[Line]:
    previous = report.previous
    heading = f"  {padded(language.say('objects'), LABEL)}{right(language.say('this run'), NUMBER)}"
    if previous is not None:
        since = language.say("since {time}", time=moment(previous.started, report.run.zone))
        heading += f"{right(language.say('change'), NUMBER)}   {since}"
    yield "", ""
    yield heading, "dim"
    for number in count_lines(report.counts, None if previous is None else previous.counts):
        line = f"  {padded(language.say(number.label), LABEL)}{grouped(number.now):>{NUMBER}}"
        if number.change is not None:
            line += f"{signed(number.change):>{NUMBER}}"
        yield line, "red" if number.label == "Failed" and number.now else ""


ANSWERS = {
    "ok": "{n} ok",
    "throttled": "{n} throttled",
    "refused": "{n} refused",
    "transient": "{n} unanswered",
    "stopped": "{n} denied",
}
"""What VOD answered, by the name of its count."""


def _call_lines(report: Report, language: Language) -> Iterator[Line]:
    calls, rates = report.calls, report.rates
    if not calls.total:
        return
    yield "", ""
    answers = [
        language.say(text, n=grouped(getattr(calls, kind))) for kind, text in ANSWERS.items() if getattr(calls, kind)
    ]
    yield language.pair(language.count(calls.total, "{n} call", "{n} calls"), language.say(", ").join(answers)), "bold"
    limits = []
    if rates.cap is not None:
        limits.append(language.say("this run's cap is {rate}", rate=rate(rates.cap)))
    if rates.account_rate is not None:
        limits.append(language.say("the account's rate is {rate}", rate=rate(rates.account_rate)))
    limits.append(language.say("the vendor's limit is {rate}", rate=rate(rates.documented)))
    reached = language.say(
        "{average} accepted calls/s on average, {peak} at most", average=rate(rates.average), peak=rate(rates.peak)
    )
    yield from wrapped(f"{reached}{language.say('; ')}{language.say(', ').join(limits)}", first="  ")


def _failure_lines(report: Report, language: Language) -> Iterator[Line]:
    if not report.failures:
        return
    yield "", ""
    yield language.count(report.counts.failed, "{n} object failed", "{n} objects failed"), "bold red"
    for group in report.failures:
        part = language.say("{share} of the failures", share=share(report.share_of(group), 1))
        yield from failure_group_lines(group, note=f" ({part})", language=language)
    if report.failed_otherwise > 0:
        rest = grouped(report.failed_otherwise)
        yield f"  {language.say('and {n} with rarer codes: see the failures table', n=rest)}", ""
    again = language.pair(language.say("To send them again after the fix"), "vod-migrate run FILE --mode failed")
    yield f"  {again}", ""


def _prefix_lines(report: Report, language: Language) -> Iterator[Line]:
    if not report.prefixes:
        return
    yield "", ""
    listed = report.run.listed
    heading = language.count(report.prefixes, "{n} prefix listed", "{n} prefixes listed")
    yield heading if listed else language.say("The source"), "bold"
    unit = language.say("objects") if listed else language.say("rows")
    # What could not be listed is never cut off by the rest.
    scans = sorted(report.scans, key=lambda scan: scan.state != "failed")
    for scan in scans[:_MOST_PREFIXES]:
        other = SCAN_NAMES.get(scan.kind) or ("" if scan.prefix else "the whole bucket")
        name = padded(f"({language.say(other)})" if other else visible(scan.prefix), 52)
        state = padded(language.say(scan.state), 9)
        yield f"  {name} {state}{grouped(scan.listed):>{NUMBER}} {unit}", "red" if scan.error else ""
        if scan.error:
            yield from wrapped(visible(language.translate(scan.error)), first="    ", style="red")
    if report.prefixes > _MOST_PREFIXES:
        yield f"  {language.say('and {n} more', n=grouped(report.prefixes - _MOST_PREFIXES))}", ""
