"""What a comparison found, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from vod_migrate.audit.confidence import CONFIDENCE
from vod_migrate.audit.drift import KINDS, Drift, Judgment, Mark
from vod_migrate.audit.reconciliation import Balance
from vod_migrate.report.group_lines import NUMBER
from vod_migrate.report.terminal import COLUMNS, Line, cut, wrapped
from vod_migrate.report.text_format import counted, grouped, visible

_LABEL = 18
_BEFORE_DELETING = "Before you delete media in VOD, try it with one: VOD may delete the file in the bucket, too."
_STYLES = {Mark.AGREES: "green", Mark.NEW: "yellow", Mark.GONE: "yellow", Mark.DIFFERS: "red", Mark.UNCHECKED: "dim"}


def balance_lines(balance: Balance, *, name: str) -> Iterator[Line]:
    """The counts by kind, with samples and what to do, and how sure they are. name: of the migration."""
    yield f"{visible(name)}: OSS, the results and VOD compared", "bold cyan"
    yield from wrapped(_headline(balance), style="bold")
    yield "", ""
    for drift in Drift:
        if balance.counts[drift]:
            yield from _kind(drift, balance.counts[drift], balance.samples.get(drift, ()))
    yield "", ""
    if any(KINDS[drift].deletes for drift, count in balance.counts.items() if count):
        yield from wrapped(_BEFORE_DELETING, style="yellow")
    yield from wrapped(_asked(balance))
    told = ", ".join(f"{counted(number, 'call')} of {api}" for api, number in sorted(balance.calls.items()))
    yield from wrapped(f"{told or 'No call'}.", style="dim")
    for error in balance.trouble:
        yield from wrapped(f"VOD was not asked to the end: {visible(str(error))}", style="red")


def _headline(balance: Balance) -> str:
    agreeing = sum(count for drift, count in balance.counts.items() if drift.mark is Mark.AGREES)
    found = f"{counted(balance.listed, 'object')} listed, {grouped(balance.selected)} selected"
    if not balance.differing:
        return f"{found}; nothing differs."
    return f"{found}; {grouped(agreeing)} agree, {counted(balance.differing, 'difference')}."


def _kind(drift: Drift, count: int, samples: list[Judgment] | tuple[()]) -> Iterator[Line]:
    kind = KINDS[drift]
    first = f"  {kind.mark.sign} {drift.value:<{_LABEL}}{grouped(count):>{NUMBER}}  "
    yield from wrapped(kind.meaning, first=first, style=_STYLES[kind.mark])
    for one in samples:
        yield f"    e.g. {cut(visible(one.key), COLUMNS - 9)}", "dim"
        told = ": ".join(filter(None, (one.media_id, visible(one.detail))))
        if told:
            yield from wrapped(told, first="         ", style="dim")
    if kind.fix:
        by = f" (--repair {drift.value})" if kind.repair is not None else ""
        yield from wrapped(f"{kind.fix}{by}", first="    To do: ")


def _asked(balance: Balance) -> str:
    if not balance.registered:
        return "No registered object to ask VOD about."
    if balance.asked == balance.registered:
        return f"VOD was asked about each of {counted(balance.registered, 'registered object')} that can be compared."
    found = f"VOD was asked about {grouped(balance.asked)} of {counted(balance.registered, 'registered object')}"
    if not balance.asked:
        return f"{found}."
    return (
        f"{found}, and {grouped(balance.asked_and_differ)} of these differ there: with {CONFIDENCE * 100:.0f} % confidence "
        f"at most {grouped(balance.most_differing)} of all do."
    )
