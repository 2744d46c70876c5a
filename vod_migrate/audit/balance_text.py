"""What a comparison found, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from vod_migrate.audit.confidence import CONFIDENCE
from vod_migrate.audit.drift import KINDS, Drift, Judgment, Mark
from vod_migrate.audit.reconciliation import Balance
from vod_migrate.report.group_lines import NUMBER, sample_line
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import Line, wrapped
from vod_migrate.report.text_format import grouped, visible

_LABEL = 18
_STYLES = {Mark.AGREES: "green", Mark.NEW: "yellow", Mark.GONE: "yellow", Mark.DIFFERS: "red", Mark.UNCHECKED: "dim"}


def balance_lines(balance: Balance, *, name: str, language: Language = ENGLISH) -> Iterator[Line]:
    """The counts by kind, with samples and what to do, and how sure they are. name: of the migration."""
    yield language.pair(visible(name), language.say("OSS, the results and VOD compared")), "bold cyan"
    yield from wrapped(_headline(balance, language), style="bold")
    yield "", ""
    for drift in Drift:
        if balance.counts[drift]:
            yield from _kind(drift, balance.counts[drift], balance.samples.get(drift, ()), language)
    yield "", ""
    if any(KINDS[drift].deletes for drift, count in balance.counts.items() if count):
        told = language.say(
            "Before you delete media in VOD, try it with one: VOD may delete the file in the bucket, too."
        )
        yield from wrapped(told, style="yellow")
    yield from wrapped(_looked_up(balance, language))
    calls = (
        language.count(number, "{n} {api} call", "{n} {api} calls", api=api)
        for api, number in sorted(balance.calls.items())
    )
    told = language.say(", ").join(calls) or language.say("no calls")
    yield language.pair(language.say("Requests"), told), "dim"
    for error in balance.trouble:
        trouble = language.pair(language.say("The lookups in VOD are incomplete"), language.translate(str(error)))
        yield from wrapped(visible(trouble), style="red")


def _headline(balance: Balance, language: Language) -> str:
    agreeing = sum(count for drift, count in balance.counts.items() if drift.mark is Mark.AGREES)
    found = language.count(
        balance.listed,
        "{n} object listed, {selected} selected",
        "{n} objects listed, {selected} selected",
        selected=grouped(balance.selected),
    )
    if not balance.differing:
        return language.say("{found}; no differences.", found=found)
    differences = language.count(balance.differing, "{n} difference", "{n} differences")
    return language.say(
        "{found}; {agreeing} agree, {differences}.", found=found, agreeing=grouped(agreeing), differences=differences
    )


def _kind(drift: Drift, count: int, samples: list[Judgment] | tuple[()], language: Language) -> Iterator[Line]:
    kind = KINDS[drift]
    first = f"  {kind.mark.sign} {drift.value:<{_LABEL}}{grouped(count):>{NUMBER}}  "
    yield from wrapped(language.say(kind.meaning), first=first, style=_STYLES[kind.mark])
    for one in samples:
        yield sample_line(one.key, language)
        told = ": ".join(filter(None, (one.media_id, visible(language.translate(one.detail)))))
        if told:
            yield from wrapped(told, first="         ", style="dim")
    if kind.fix:
        by = f" (--repair {drift.value})" if kind.repair is not None else ""
        yield from wrapped(f"{language.say(kind.fix)}{by}", first=f"    {language.pair(language.say('To do'), '')}")


def _looked_up(balance: Balance, language: Language) -> str:
    if not balance.registered:
        return language.say("There is no registered object to look up in VOD.")
    registered = language.count(balance.registered, "{n} registered object", "{n} registered objects")
    if balance.asked == balance.registered:
        return language.say("Looked up in VOD: all of {registered} that can be compared.", registered=registered)
    found = language.say("Looked up in VOD: {n} of {registered}.", n=grouped(balance.asked), registered=registered)
    if not balance.asked:
        return found
    bound = language.say(
        "{n} of them differ; with {confidence} % confidence, at most {most} of all do.",
        n=grouped(balance.asked_and_differ),
        confidence=f"{CONFIDENCE * 100:.0f}",
        most=grouped(balance.most_differing),
    )
    return f"{found} {bound}"
