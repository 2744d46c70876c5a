"""What happened, in one sentence: the first thing that anybody reads of a run."""

from __future__ import annotations

from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.model import Report, RunFacts
from vod_migrate.report.text_format import grouped
from vod_migrate.results.summary import RunCounts

_NARROWING = ("codes", "prefixes", "date", "modified_since")


def headline_of(report: Report, language: Language = ENGLISH) -> str:
    """One sentence, without the names that every format shows above it."""
    run, counts = report.run, report.counts
    waiting = counts.pending + counts.unknown
    settled = _settled(counts, language)
    if run.state == "planned":
        return language.count(
            waiting,
            "Plan only, nothing was sent: {n} object would be.",
            "Plan only, nothing was sent: {n} objects would be.",
        )
    if run.state in CUT_SHORT:
        text, one, many = CUT_SHORT[run.state]
        rest = language.count(waiting, one, many) if waiting else ""
        return language.say(text, time=language.duration(run.seconds), settled=settled, rest=rest)
    if report.prefixes_failed:
        return language.say(
            "{which}; {settled} in {time}.",
            which=_unlisted(report, language),
            settled=settled,
            time=language.duration(run.seconds),
        )
    if waiting:
        left = language.count(waiting, "{n} object remains pending", "{n} objects remain pending")
        return language.say("Ended with work left: {settled}, {left}.", settled=settled, left=left)
    if not counts.settled:
        return _nothing(run, counts, language)
    return language.say("{settled} in {time}.", settled=settled, time=language.duration(run.seconds))


CUT_SHORT = {
    "running": ("Running for {time}: {settled} so far{rest}.", "; {n} more is waiting", "; {n} more are waiting"),
    "stopped": (
        "Stopped after {time}: {settled}{rest}.",
        "; {n} object remains pending",
        "; {n} objects remain pending",
    ),
    "interrupted": (
        "Interrupted after {time}: {settled}{rest}.",
        "; the next run continues with the remaining {n}",
        "; the next run continues with the remaining {n}",
    ),
    "paused": (
        "Paused after {time}: {settled}{rest}.",
        "; {n} object remains for the next run",
        "; {n} objects remain for the next run",
    ),
    "cancelled": (
        "Cancelled after {time}: {settled}{rest}.",
        "; {n} object remains pending for the next run",
        "; {n} objects remain pending for the next run",
    ),
}
"""States before a run's end or instead of it: the sentence, and what it says of one or more objects that are left."""


def _unlisted(report: Report, language: Language) -> str:
    if not report.run.listed:
        return language.say("The source could not be read")
    if report.prefixes == 1:
        return language.say("The prefix could not be listed")
    return language.say(
        "{failed} of {all} prefixes could not be listed",
        failed=grouped(report.prefixes_failed),
        all=grouped(report.prefixes),
    )


def _settled(counts: RunCounts, language: Language) -> str:
    if not counts.settled:
        return language.say("no objects registered")
    parts = [language.count(counts.registered, "{n} object registered", "{n} objects registered")]
    if counts.already_registered:
        parts.append(language.count(counts.already_registered, "{n} already known to VOD", "{n} already known to VOD"))
    if counts.failed:
        parts.append(language.count(counts.failed, "{n} failed", "{n} failed"))
    if len(parts) == 1:
        return parts[0]
    return language.say("{parts} and {last}", parts=language.say(", ").join(parts[:-1]), last=parts[-1])


def _nothing(run: RunFacts, counts: RunCounts, language: Language) -> str:
    if run.mode == "failed":
        if any(option.name in _NARROWING for option in run.options):
            return language.say("Nothing to do: no failed object matches the options of this run.")
        return language.say("Nothing to do: this migration had no failed objects.")
    if not counts.discovered:
        return (
            language.say("Nothing to do: no object was found under the prefixes.")
            if run.listed
            else language.say("Nothing to do: no object was found in the source.")
        )
    left_out = sum(counts.left_out.values())
    if counts.owned_elsewhere and counts.owned_elsewhere + left_out == counts.discovered:
        return language.count(
            counts.owned_elsewhere,
            "Warning: nothing was sent, because the {n} selected object belongs to another migration.",
            "Warning: nothing was sent, because all {n} selected objects belong to another migration.",
        )
    if left_out == counts.discovered:
        return language.count(
            left_out,
            "Nothing to do: the {n} listed object was left out.",
            "Nothing to do: all {n} listed objects were left out.",
        )
    return language.count(
        counts.discovered,
        "Nothing to do: the {n} listed object is not new.",
        "Nothing to do: none of the {n} listed objects is new.",
    )
