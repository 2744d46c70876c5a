"""Lines about failing objects and about objects left out, for the report and for the plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from vod_migrate.report.diagnosis import Diagnosis
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.model import FailureGroup, ReasonGroup
from vod_migrate.report.terminal import COLUMNS, Line, cut, padded, wrapped
from vod_migrate.report.text_format import grouped, moment, visible

LABEL = 20
NUMBER = 14
"""Columns of a label and of a number in every list."""

LEFT_OUT = ("{n} object left out", "{n} objects left out")
OF_EARLIER_RUNS = ("{n} object of earlier runs left out", "{n} objects of earlier runs left out")
NOT_AS_PLANNED = ("{n} object not as in the approved plan", "{n} objects not as in the approved plan")
"""What heads a list of objects that are left out."""

LIKELY = "Likely: it fits the evidence, and all certain causes were ruled out."
EXAMINED = "{examined} of them were examined, and no cause was found."

MOST_SAMPLES = 3
"""Samples of a group; the page shows more, the table all."""

_LEFT_OUT_SAMPLES = 2


def failure_group_lines(group: FailureGroup, *, note: str = "", language: Language = ENGLISH) -> Iterator[Line]:
    """A cause or a code with its number, its explanation and samples. note: what follows the number."""
    yield f"  {language.pair(visible(group.name), grouped(group.count))}{note}", "red"
    if not group.certain:
        yield from wrapped(language.say(LIKELY), first="    ")
    yield from wrapped(language.say(group.diagnosis.meaning), first="    ")
    if group.examined:
        yield from wrapped(language.say(EXAMINED, examined=grouped(group.examined)), first="    ")
        if group.ruled_out:
            ruled_out = language.say(", ").join(map(language.say, group.not_due_to))
            yield from wrapped(language.say("Ruled out for them: {causes}.", causes=ruled_out), first="    ")
    yield from wrapped(_to_do(group.diagnosis, language), first="    ")
    for check in group.diagnosis.checks:
        yield from wrapped(language.say(check), first="      - ")
    for sample in group.samples[:MOST_SAMPLES]:
        if sample.key:
            yield sample_line(sample.key, language)
        facts = (language.translate(sample.message), sample.request_id and f"RequestId {sample.request_id}")
        reply = "; ".join(visible(fact) for fact in facts if fact)
        if reply:
            yield from wrapped(reply, first="         ", style="dim")


def left_out_lines(
    left_out: Sequence[ReasonGroup],
    zone: ZoneInfo,
    heading: tuple[str, str] = LEFT_OUT,
    *,
    language: Language = ENGLISH,
) -> Iterator[Line]:
    """The reasons with their numbers, meanings and samples; nothing where there are none. heading: for one object and for more."""
    if not left_out:
        return
    yield "", ""
    yield language.count(sum(left.count for left in left_out), *heading), "bold"
    for left in left_out:
        first = f"  {padded(visible(left.reason), LABEL)}{grouped(left.count):>{NUMBER}}  "
        yield from wrapped(_meaning(left, zone, language), first=first)
        for sample in left.samples[:_LEFT_OUT_SAMPLES]:
            yield sample_line(sample, language)


def hint_lines(hints: Sequence[ReasonGroup], zone: ZoneInfo, *, language: Language = ENGLISH) -> Iterator[Line]:
    """What somebody should look at among the objects that are kept."""
    for hint in hints:
        yield "", ""
        heading = language.count(
            hint.count,
            "{n} selected object deserves a look",
            "{n} selected objects deserve a look",
        )
        yield language.pair(heading, hint.reason), "yellow"
        yield from wrapped(_meaning(hint, zone, language), first="  ")
        yield from wrapped(_to_do(hint.diagnosis, language), first="  ")
        for sample in hint.samples[:_LEFT_OUT_SAMPLES]:
            yield sample_line(sample, language)


def _to_do(diagnosis: Diagnosis, language: Language) -> str:
    return language.pair(language.say("To do"), language.say(diagnosis.fix))


def _meaning(found: ReasonGroup, zone: ZoneInfo, language: Language) -> str:
    meaning = language.say(found.diagnosis.meaning)
    if found.expires is None:
        return meaning
    return f"{meaning} {language.say('The first copy expires at {time}.', time=moment(found.expires, zone))}"


def sample_line(key: str, language: Language = ENGLISH) -> Line:
    """An example, shortened to fit."""
    begin = f"    {language.say('e.g.')} "
    return f"{begin}{cut(visible(key), COLUMNS - cell_len(begin))}", "dim"
