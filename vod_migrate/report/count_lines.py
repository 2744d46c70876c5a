"""The numbers of a run in the order in which an object meets them, beside those of the run before; for text and page alike."""

from __future__ import annotations

from dataclasses import dataclass

from vod_migrate.report.model import Report
from vod_migrate.results.summary import RunCounts


@dataclass(frozen=True, kw_only=True, slots=True)
class CountLine:
    """One line: what is counted, what that means, and the number in this run and in the one before (None: there was none)."""

    label: str
    note: str
    now: int
    before: int | None

    @property
    def change(self) -> int | None:
        """This run's number less the previous one's."""
        return None if self.before is None else self.now - self.before


def count_lines(report: Report) -> tuple[CountLine, ...]:
    """Every count that is not zero in both runs; listed, registered and failed always."""
    now = _counted(report.counts)
    before = None if report.previous is None else _counted(report.previous.counts)
    lines = []
    for label, note in NOTES.items():
        number = CountLine(label=label, note=note, now=now[label], before=None if before is None else before[label])
        if label in _ALWAYS or number.now or number.before:
            lines.append(number)
    return tuple(lines)


_ALWAYS = ("Listed", "Registered", "Failed")

NOTES = {
    "Listed": "objects found under the prefixes",
    "Left out": "by the migration's selection",
    "Registered before": "by an earlier run: not sent again",
    "Failed before": "in an earlier run: mode failed sends them again",
    "Changed": "content changed since registration: not sent, MediaId kept",
    "Owned elsewhere": "belongs to another migration: not sent",
    "Queued elsewhere": "another run is working on them",
    "Gone": "known before, no longer in the bucket",
    "Leftovers": "taken over from earlier runs",
    "Leftovers left out": "of earlier runs, no longer selected",
    "Registered": "new in VOD",
    "Already registered": "VOD knew the file and returned its MediaId",
    "Failed": "explained by code in this report",
    "Pending": "not sent yet: left for the next run",
    "Unknown": "sent, but the reply was lost: sending again is harmless",
    "Calls": "to RegisterMedia, up to 10 files each",
    "Throttled": "calls refused because the account's quota was used up",
}
"""Every count by its label, in the order of the lines, and what it means."""


def _counted(counts: RunCounts) -> dict[str, int]:
    return {
        "Listed": counts.discovered,
        "Left out": sum(counts.left_out.values()),
        "Registered before": counts.unchanged,
        "Failed before": counts.failed_before,
        "Changed": counts.changed,
        "Owned elsewhere": counts.owned_elsewhere,
        "Queued elsewhere": counts.queued_elsewhere,
        "Gone": counts.gone,
        "Leftovers": counts.leftovers,
        "Leftovers left out": sum(counts.leftovers_left_out.values()),
        "Registered": counts.registered,
        "Already registered": counts.already_registered,
        "Failed": counts.failed,
        "Pending": counts.pending,
        "Unknown": counts.unknown,
        "Calls": counts.calls,
        "Throttled": counts.throttled,
    }
