"""Lines about failing objects and about objects left out, for the report and for the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vod_migrate.report.model import FailureGroup, LeftOut
from vod_migrate.report.terminal import COLUMNS, Line, cut, padded, wrapped
from vod_migrate.report.text_format import counted, grouped, visible

LABEL = 20
NUMBER = 14
"""Columns of a label and of a number in every list."""

MOST_SAMPLES = 3
"""Samples of a group; the page shows more, the table all."""

_LEFT_OUT_SAMPLES = 2


def failure_group_lines(group: FailureGroup, *, note: str = "") -> Iterator[Line]:
    """A code with its number, its explanation and samples. note: what follows the number."""
    yield f"  {visible(group.code)}: {grouped(group.count)}{note}", "red"
    yield from wrapped(group.diagnosis.meaning, first="    ")
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


def left_out_lines(left_out: Sequence[LeftOut], heading: str = "left out") -> Iterator[Line]:
    """The reasons with their numbers, meanings and samples; nothing where there are none. heading: what follows the number of objects."""
    if not left_out:
        return
    yield "", ""
    yield f"{counted(sum(left.count for left in left_out), 'object')} {heading}", "bold"
    for left in left_out:
        first = f"  {padded(visible(left.reason), LABEL)}{grouped(left.count):>{NUMBER}}  "
        yield from wrapped(left.diagnosis.meaning, first=first)
        for sample in left.samples[:_LEFT_OUT_SAMPLES]:
            yield sample_line(sample)


def sample_line(key: str) -> Line:
    """An example, shortened to fit."""
    return f"    e.g. {cut(visible(key), COLUMNS - 9)}", "dim"
