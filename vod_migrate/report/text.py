"""The report for a terminal: plain, aligned, at most 100 columns."""

from __future__ import annotations

from collections.abc import Iterator

from vod_migrate.report.count_lines import count_lines
from vod_migrate.report.group_lines import LABEL, NUMBER, failure_group_lines, hint_lines, left_out_lines
from vod_migrate.report.model import RelatedRun, Report
from vod_migrate.report.playback_lines import record_lines
from vod_migrate.report.terminal import COMMAND, Line, padded, rendered, wrapped
from vod_migrate.report.text_format import counted, duration, grouped, moment, rate, share, signed, visible

_MOST_PREFIXES = 12
_SCAN_NAMES = {"leftovers": "(what earlier runs left)", "approval": "(the comparison with the plan)"}
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


def render_text(report: Report, *, colour: bool = False, warning: str = "") -> str:
    """The report as text that ends with a newline.

    warning: what went wrong beside the run; it follows the sentence. colour: with the terminal's colour codes. Foreign text never brings any: control characters are shown, not sent.
    """
    return rendered(_lines(report, warning), colour=colour)


def _lines(report: Report, warning: str) -> Iterator[Line]:
    run = report.run
    yield f"{run.migration}: {run.state}", f"bold {_COLOURS.get(run.state, '')}".strip()
    yield from wrapped(report.sentence, style="bold")
    if warning:
        yield from wrapped(visible(f"Warning: {warning}"), style="yellow")
    if run.stop_message:
        yield from wrapped(visible(f"{run.stop_code or 'stopped'}: {run.stop_message}"), style="yellow")
    yield "", ""
    yield from _facts(report)
    yield from _number_lines(report)
    yield from _call_lines(report)
    yield from _failure_lines(report)
    for record in report.verifications:
        yield from record_lines(record, report.run.zone)
    yield from left_out_lines(report.plan_differences, report.run.zone, "not as in the approved plan")
    yield from left_out_lines(report.left_out, report.run.zone)
    yield from hint_lines(report.hints, report.run.zone)
    yield from left_out_lines(report.leftovers_left_out, report.run.zone, "of earlier runs left out")
    yield from _prefix_lines(report)
    yield from _action_lines(report)


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
        yield f"  {name:<{LABEL}}{fact}", ""
    for one in report.parents:
        again = f"{visible(one.run_id)}: {counted(one.objects, 'failure')} of it sent again"
        yield from wrapped(again, first=f"  {'parent run':<{LABEL}}")
    for one in report.reruns:
        yield from wrapped(_rerun(one), first=f"  {'rerun':<{LABEL}}")
    if run.export is not None:
        # Whole, since it is there to be copied.
        yield f"  {'exported':<{LABEL}}{counted(run.export.rows, 'row')} to {visible(run.export.location)}", COMMAND


def _rerun(one: RelatedRun) -> str:
    changed = f" with {', '.join(map(visible, one.settings))}" if one.settings else ""
    return f"{visible(one.run_id)} ({one.state}) sent {counted(one.objects, 'failure')} again{changed}"


def _action_lines(report: Report) -> Iterator[Line]:
    if not report.actions:
        return
    yield "", ""
    yield "Who did what", "bold"
    for deed in report.actions:
        detail = f" ({visible(deed.detail)})" if deed.detail else ""
        said = f"{visible(deed.who)} {deed.text}{detail}"
        yield from wrapped(said, first=f"  {moment(deed.at, report.run.zone)}  ")


def _number_lines(report: Report) -> Iterator[Line]:
    previous = report.previous
    heading = f"  {'objects':<{LABEL}}{'this run':>{NUMBER}}"
    if previous is not None:
        heading += f"{'change':>{NUMBER}}   since {moment(previous.started, report.run.zone)}"
    yield "", ""
    yield heading, "dim"
    for number in count_lines(report):
        line = f"  {number.label:<{LABEL}}{grouped(number.now):>{NUMBER}}"
        if number.change is not None:
            line += f"{signed(number.change):>{NUMBER}}"
        yield line, "red" if number.label == "Failed" and number.now else ""


def _call_lines(report: Report) -> Iterator[Line]:
    calls, rates = report.calls, report.rates
    if not calls.total:
        return
    yield "", ""
    kinds = (
        (calls.ok, "ok"),
        (calls.throttled, "throttled"),
        (calls.refused, "refused"),
        (calls.transient, "unanswered"),
        (calls.stopped, "denied"),
    )
    answers = ", ".join(f"{grouped(count)} {kind}" for count, kind in kinds if count)
    yield f"{counted(calls.total, 'call')}: {answers}", "bold"
    limits = [f"the vendor's limit is {rate(rates.documented)}"]
    if rates.account_rate is not None:
        limits.insert(0, f"the account's rate is {rate(rates.account_rate)}")
    if rates.cap is not None:
        limits.insert(0, f"this run's cap is {rate(rates.cap)}")
    yield from wrapped(
        f"{rate(rates.average)} accepted calls/s on average, {rate(rates.peak)} at most; {', '.join(limits)}",
        first="  ",
    )


def _failure_lines(report: Report) -> Iterator[Line]:
    if not report.failures:
        return
    yield "", ""
    yield f"{counted(report.counts.failed, 'object')} failed", "bold red"
    for group in report.failures:
        yield from failure_group_lines(group, note=f" ({share(report.share_of(group), 1)} of the failures)")
    if report.failed_otherwise > 0:
        yield f"  and {grouped(report.failed_otherwise)} with rarer codes: see the failures table", ""
    yield "  To send them again after the fix: vod-migrate run FILE --mode failed", ""


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
        name = padded(_SCAN_NAMES.get(scan.kind) or visible(scan.prefix) or "(the whole bucket)", 52)
        yield f"  {name} {scan.state:<9}{grouped(scan.listed):>{NUMBER}} {unit}", "red" if scan.error else ""
        if scan.error:
            yield from wrapped(visible(scan.error), first="    ", style="red")
    if report.prefixes > _MOST_PREFIXES:
        yield f"  and {grouped(report.prefixes - _MOST_PREFIXES)} more", ""
