"""Lines about whether VOD can play what was registered, for the report and for `verify`."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from vod_migrate.migration.units import ALL_PARTS, percent_of
from vod_migrate.report.diagnosis import PLAYBACK
from vod_migrate.report.group_lines import LABEL, NUMBER
from vod_migrate.report.terminal import COLUMNS, Line, cut, wrapped
from vod_migrate.report.text_format import counted, grouped, moment, visible
from vod_migrate.results.verifications import WRONG, Playback, Scope, Verification, VerificationRecord

_STYLE = {
    Playback.PLAYABLE: "green",
    Playback.NOT_DECODED: "yellow",
    Playback.PROCESSING: "yellow",
    **dict.fromkeys(WRONG, "red"),
}
_OF = {Scope.RUN: "this run", Scope.FIRST: "the first objects", Scope.MIGRATION: "all that the migration has"}


def record_lines(record: VerificationRecord, zone: ZoneInfo) -> Iterator[Line]:
    """What was found when VOD was last asked, and when that was."""
    part = "" if record.millionths >= ALL_PARTS else f"a random {percent_of(record.millionths)} of "
    yield "", ""
    yield from wrapped(f"VOD was asked about {part}{_OF[record.scope]} at {moment(record.at, zone)}", style="bold")
    yield from found_lines(record.found)


def found_lines(found: Verification) -> Iterator[Line]:
    """How many objects can be played, the number of each state and examples of what is wrong."""
    if not found.objects:
        yield "No registered object to check.", ""
        return
    yield from wrapped(
        f"{counted(found.counts[Playback.PLAYABLE], 'object')} of {grouped(found.objects)} can be played.", style="bold"
    )
    yield "", ""
    for state in Playback:
        if number := found.counts[state]:
            label, meaning = PLAYBACK[state]
            yield f"  {label:<{LABEL}}{grouped(number):>{NUMBER}}  {meaning}", _STYLE.get(state, "")
            for one in found.samples.get(state, []):
                detail = f": {visible(one.detail)}" if one.detail else ""
                yield f"    e.g. {cut(visible(one.key), COLUMNS - 9)}", "dim"
                yield from wrapped(f"{one.media_id}{detail}", first="         ", style="dim")
