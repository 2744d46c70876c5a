"""Lines about whether VOD can play what was registered, for the report and for `verify`."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from vod_migrate.migration.units import ALL_PARTS, percent_of
from vod_migrate.report.diagnosis import PLAYBACK
from vod_migrate.report.group_lines import LABEL, NUMBER, sample_line
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import Line, padded, wrapped
from vod_migrate.report.text_format import grouped, moment, visible
from vod_migrate.results.verifications import WRONG, Playback, Scope, Verification, VerificationRecord

_STYLE = {
    Playback.PLAYABLE: "green",
    Playback.NOT_DECODED: "yellow",
    Playback.PROCESSING: "yellow",
    **dict.fromkeys(WRONG, "red"),
}
ASKED = {
    Scope.RUN: ("This run, checked in VOD at {time}", "A random {part} of this run, checked in VOD at {time}"),
    Scope.FIRST: (
        "The first objects, checked in VOD at {time}",
        "A random {part} of the first objects, checked in VOD at {time}",
    ),
    Scope.MIGRATION: (
        "All media of the migration, checked in VOD at {time}",
        "A random {part} of all media of the migration, checked in VOD at {time}",
    ),
}
"""What VOD was asked about: all of it, or a part."""


def record_lines(record: VerificationRecord, zone: ZoneInfo, *, language: Language = ENGLISH) -> Iterator[Line]:
    """What was found when VOD was last asked, and when that was."""
    at = moment(record.at, zone)
    whole, part = ASKED[record.scope]
    asked = (
        language.say(whole, time=at)
        if record.millionths >= ALL_PARTS
        else language.say(part, part=percent_of(record.millionths), time=at)
    )
    yield "", ""
    yield from wrapped(asked, style="bold")
    yield from found_lines(record.found, language=language)


def found_lines(found: Verification, *, language: Language = ENGLISH) -> Iterator[Line]:
    """How many objects can be played, the number of each state and examples of what is wrong."""
    if not found.objects:
        yield language.say("No registered object to check."), ""
        return
    playable = found.counts[Playback.PLAYABLE]
    sentence = language.form(playable, "{n} object of {all} can be played.", "{n} objects of {all} can be played.")
    yield from wrapped(sentence.format(n=grouped(playable), all=grouped(found.objects)), style="bold")
    yield "", ""
    for state in Playback:
        if number := found.counts[state]:
            label, meaning = PLAYBACK[state]
            line = f"  {padded(language.say(label), LABEL)}{grouped(number):>{NUMBER}}  {language.say(meaning)}"
            yield line, _STYLE.get(state, "")
            for one in found.samples.get(state, []):
                detail = f": {visible(language.translate(one.detail))}" if one.detail else ""
                yield sample_line(one.key, language)
                yield from wrapped(f"{one.media_id}{detail}", first="         ", style="dim")
