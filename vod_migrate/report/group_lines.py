"""Lines about failing objects and about objects left out, for the report and for the plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from vod_migrate.report.model import FailureGroup, Hint, LeftOut
from vod_migrate.report.terminal import COLUMNS, Line, cut, padded, wrapped
from vod_migrate.report.text_format import counted, grouped, moment, visible

LABEL = 20
NUMBER = 14
"""Columns of a label and of a number in every list."""

LIKELY = "Likely: it fits what was seen, and everything that is certain was ruled out."
EXAMINED = "{examined} of them were examined, and no cause was found."

MOST_SAMPLES = 3
"""Samples of a group; the page shows more, the table all."""

_LEFT_OUT_SAMPLES = 2


def failure_group_lines(group: FailureGroup, *, note: str = "") -> Iterator[Line]:
    """A cause or a code with its number, its explanation and samples. note: what follows the number."""
    yield f"  {visible(group.name)}: {grouped(group.count)}{note}", "red"
    if not group.certain:
        yield from wrapped(LIKELY, first="    ")
    yield from wrapped(group.diagnosis.meaning, first="    ")
    if group.examined:
        yield from wrapped(EXAMINED.format(examined=grouped(group.examined)), first="    ")
        if group.ruled_out:
            yield from wrapped(f"Ruled out for them: {', '.join(group.not_due_to)}.", first="    ")
    yield from wrapped(f"To do: {group.diagnosis.fix}", first="    ")
    for check in group.diagnosis.checks:
        yield from wrapped(check, first="      - ")
    for sample in group.samples[:MOST_SAMPLES]:
        if sample.key:
            yield sample_line(sample.key)
        facts = (sample.message, sample.request_id and f"RequestId {sample.request_id}")
        reply = "; ".join(visible(fact) for fact in facts if fact)
        if reply:
            yield from wrapped(reply, first="         ", style="dim")


def left_out_lines(left_out: Sequence[LeftOut], zone: ZoneInfo, heading: str = "left out") -> Iterator[Line]:
    """The reasons with their numbers, meanings and samples; nothing where there are none. heading: what follows the number of objects."""
    if not left_out:
        return
    yield "", ""
    yield f"{counted(sum(left.count for left in left_out), 'object')} {heading}", "bold"
    for left in left_out:
        first = f"  {padded(visible(left.reason), LABEL)}{grouped(left.count):>{NUMBER}}  "
        yield from wrapped(f"{left.diagnosis.meaning}{_expiry(left.expires, zone)}", first=first)
        for sample in left.samples[:_LEFT_OUT_SAMPLES]:
            yield sample_line(sample)


def hint_lines(hints: Sequence[Hint], zone: ZoneInfo) -> Iterator[Line]:
    """What somebody should look at among the objects that are kept."""
    for hint in hints:
        yield "", ""
        yield f"Look at {counted(hint.count, 'object')} of those that were selected: {hint.reason}", "yellow"
        yield from wrapped(f"{hint.diagnosis.meaning}{_expiry(hint.expires, zone)}", first="  ")
        yield from wrapped(f"To do: {hint.diagnosis.fix}", first="  ")
        for sample in hint.samples[:_LEFT_OUT_SAMPLES]:
            yield sample_line(sample)


def _expiry(expires: dt.datetime | None, zone: ZoneInfo) -> str:
    return "" if expires is None else f" The first copy expires at {moment(expires, zone)}."


def sample_line(key: str) -> Line:
    """An example, shortened to fit."""
    return f"    e.g. {cut(visible(key), COLUMNS - 9)}", "dim"
