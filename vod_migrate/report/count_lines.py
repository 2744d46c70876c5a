"""The numbers of a run in the order in which an object meets them, beside those of the run before; for text and page alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def count_lines(now: RunCounts, before: RunCounts | None) -> tuple[CountLine, ...]:
    """Every count that is not zero in both runs; listed, registered and failed always. before: of the run to compare with."""
    numbers = (
        CountLine(
            label=label, note=note, now=_number(now, name), before=None if before is None else _number(before, name)
        )
        for label, (name, note) in COUNTS.items()
    )
    return tuple(number for number in numbers if number.label in _ALWAYS or number.now or number.before)


_ALWAYS = ("Listed", "Registered", "Failed")

COUNTS = {
    "Listed": ("discovered", "objects found under the prefixes"),
    "Left out": ("left_out", "by the migration's selection"),
    "Registered before": ("unchanged", "by an earlier run: not sent again"),
    "Failed before": ("failed_before", "in an earlier run: mode failed sends them again"),
    "Changed": ("changed", "content changed since registration: not sent, MediaId kept"),
    "Owned elsewhere": ("owned_elsewhere", "belongs to another migration: not sent"),
    "Queued elsewhere": ("queued_elsewhere", "another run is working on them"),
    "Gone": ("gone", "known before, no longer in the bucket"),
    "Leftovers": ("leftovers", "taken over from earlier runs"),
    "Leftovers left out": ("leftovers_left_out", "of earlier runs, no longer selected"),
    "Registered": ("registered", "new in VOD"),
    "Already registered": ("already_registered", "VOD knew the file and returned its MediaId"),
    "Failed": ("failed", "explained by code in this report"),
    "Pending": ("pending", "not sent yet: left for the next run"),
    "Unknown": ("unknown", "sent, but the reply was lost: sending again is harmless"),
    "Calls": ("calls", "to RegisterMedia, up to 10 files each"),
    "Throttled": ("throttled", "calls refused because the account's quota was used up"),
}
"""Every count by its label, in the order of the lines: its name among the counts, and what it means."""


def _number(counts: RunCounts, name: str) -> int:
    found: int | Mapping[str, int] = getattr(counts, name)
    return found if isinstance(found, int) else sum(found.values())
