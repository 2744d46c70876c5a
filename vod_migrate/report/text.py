"""The report for a terminal: plain, aligned, at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from vod_migrate.report.count_lines import count_lines
from vod_migrate.report.model import FailureGroup, Report
from vod_migrate.report.terminal import COLUMNS, Line, cut, fitted, padded, wrapped
from vod_migrate.report.text_format import counted, duration, grouped, moment, rate, share, signed, visible

_LABEL = 20
_NUMBER = 14
_MOST_PREFIXES = 12
_SAMPLES = 3  # the page shows more, the table all
_LEFT_OUT_SAMPLES = 2
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


def render_text(report: Report, *, colour: bool = False) -> str:
    """The report as text that ends with a newline.

    colour: with the terminal's colour codes. Foreign text never brings any: control characters are shown, not sent.
    """
    lines = [(fitted(line), style) for line, style in _lines(report)]
    if not colour:
        return "".join(f"{line.rstrip()}\n" for line, _ in lines)
    console = Console(force_terminal=True, color_system="standard", width=COLUMNS, highlight=False)
    with console.capture() as captured:
        for line, style in lines:
            console.print(Text(line.rstrip(), style=style), soft_wrap=True)
    return captured.get()


def _lines(report: Report) -> Iterator[Line]:
    run = report.run
    yield f"{run.migration}: {run.state}", f"bold {_COLOURS.get(run.state, '')}".strip()
    yield from wrapped(report.sentence, style="bold")
    if run.stop_message:
        yield from wrapped(visible(f"{run.stop_code or 'stopped'}: {run.stop_message}"), style="yellow")
    yield "", ""
    yield from _facts(report)
    yield from _number_lines(report)
    yield from _call_lines(report)
    yield from _failure_lines(report)
    yield from _left_out_lines(report)
    yield from _prefix_lines(report)


def _facts(report: Report) -> Iterator[Line]:
    run = report.run
    ended = moment(run.finished, run.zone) if run.finished else "still running"
    facts = [
        ("run", visible(run.run_id)),
        ("bucket", f"{run.bucket} (account {visible(run.account)})"),
        ("mode", run.mode + (f", date {run.local_date}" if run.local_date else "")),
        ("time", f"{moment(run.started, run.zone)} to {ended} ({run.timezone}), {duration(run.seconds)}"),
    ]
    given = ", ".join(f"{option.name}={visible(option.value)}" for option in run.options if option.name != "mode")
    if given:
        facts.append(("options", given))
    if report.settled:
        facts.append(("speed", f"{rate(report.objects_per_second)} objects/s"))
    for name, fact in facts:
        yield f"  {name:<{_LABEL}}{fact}", ""


def _number_lines(report: Report) -> Iterator[Line]:
    previous = report.previous
    heading = f"  {'objects':<{_LABEL}}{'this run':>{_NUMBER}}"
    if previous is not None:
        heading += f"{'change':>{_NUMBER}}   since {moment(previous.started, report.run.zone)}"
    yield "", ""
    yield heading, "dim"
    for number in count_lines(report):
        line = f"  {number.label:<{_LABEL}}{grouped(number.now):>{_NUMBER}}"
        if number.change is not None:
            line += f"{signed(number.change):>{_NUMBER}}"
        yield line, "red" if number.label == "Failed" and number.now else ""


def _call_lines(report: Report) -> Iterator[Line]:
    calls, pace = report.calls, report.pace
    if not calls.total:
        return
    yield "", ""
    kinds = (
        (calls.ok, "ok"),
        (calls.throttled, "throttled"),
        (calls.refused, "refused"),
        (calls.transient, "without an answer"),
        (calls.stopped, "denied"),
    )
    told = ", ".join(f"{grouped(count)} {kind}" for count, kind in kinds if count)
    yield f"{counted(calls.total, 'call')}: {told}", "bold"
    limits = [f"the vendor's limit is {rate(pace.documented)}"]
    if pace.account_rate is not None:
        limits.insert(0, f"the account's pace is {rate(pace.account_rate)}")
    if pace.cap is not None:
        limits.insert(0, f"this run's cap is {rate(pace.cap)}")
    yield from wrapped(
        f"{rate(pace.average)} accepted calls/s on average, {rate(pace.peak)} at most; {', '.join(limits)}", first="  "
    )


def _failure_lines(report: Report) -> Iterator[Line]:
    if not report.failures:
        return
    yield "", ""
    yield f"{counted(report.counts.failed, 'object')} failed", "bold red"
    for group in report.failures:
        yield f"  {visible(group.code)}: {grouped(group.count)} ({share(group.share, 1)} of the failures)", "red"
        yield from _explanation(group)
    if report.failed_otherwise > 0:
        yield f"  and {grouped(report.failed_otherwise)} with rarer codes: see the failures table", ""
    yield "  To send them again after the fix: vod-migrate run FILE --mode failed", ""


def _explanation(group: FailureGroup) -> Iterator[Line]:
    yield from wrapped(group.diagnosis.meaning, first="    ")
    yield from wrapped(f"To do: {group.diagnosis.fix}", first="    ")
    for check in group.diagnosis.checks:
        yield from wrapped(check, first="      - ")
    for sample in group.samples[:_SAMPLES]:
        yield f"    e.g. {cut(visible(sample.key), COLUMNS - 9)}", ""
        facts = [
            sample.message and visible(sample.message),
            sample.request_id and f"RequestId {visible(sample.request_id)}",
        ]
        told = "; ".join(fact for fact in facts if fact)
        if told:
            yield from wrapped(told, first="         ", style="dim")


def _left_out_lines(report: Report) -> Iterator[Line]:
    if not report.left_out:
        return
    total = sum(left.count for left in report.left_out)
    yield "", ""
    yield f"{counted(total, 'object')} left out", "bold"
    for left in report.left_out:
        begin = f"  {padded(visible(left.reason), _LABEL)}{grouped(left.count):>{_NUMBER}}  "
        yield from wrapped(left.diagnosis.meaning, first=begin)
        for sample in left.samples[:_LEFT_OUT_SAMPLES]:
            yield f"    e.g. {cut(visible(sample), COLUMNS - 9)}", "dim"


def _prefix_lines(report: Report) -> Iterator[Line]:
    if not report.prefixes:
        return
    yield "", ""
    listed = f"{counted(report.prefixes, 'prefix', 'prefixes')} listed"
    yield listed if report.run.listed else "The source", "bold"
    unit = "objects" if report.run.listed else "rows"
    # What could not be listed is never cut off by the rest.
    scans = sorted(report.scans, key=lambda scan: scan.state != "failed")
    for scan in scans[:_MOST_PREFIXES]:
        name = padded(visible(scan.prefix) or "(the whole bucket)", 52)
        yield f"  {name} {scan.state:<9}{grouped(scan.listed):>{_NUMBER}} {unit}", "red" if scan.error else ""
        if scan.error:
            yield from wrapped(visible(scan.error), first="    ", style="red")
    if report.prefixes > _MOST_PREFIXES:
        yield f"  and {grouped(report.prefixes - _MOST_PREFIXES)} more", ""
