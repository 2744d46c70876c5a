"""The part of each day in which a migration may send: `01:00-07:00` on the wall clock of its time zone.

A window is open while the wall clock shows a time in it. In a night when the clocks go back it lasts an hour longer, when they
go forward an hour less, and a window that lies within the skipped hour stays closed that night. Moments may be in any time
zone; those returned are in UTC, so that their differences are the time that passes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_WRITTEN = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")
_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_SECOND = dt.timedelta(seconds=1)
_HOURS_A_DAY, _MINUTES_AN_HOUR = 24, 60
_MOST_DAYS = 4
"""Within this many days every window opens and closes: a zone has skipped one whole day (Samoa, 2011-12-30), never two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From `opens` until before `closes` on the wall clock of `zone`; it spans midnight if `closes` is earlier."""

    opens: dt.time
    closes: dt.time
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}\u2013{self.closes:%H:%M} ({self.zone.key})"

    def is_open(self, now: dt.datetime) -> bool:
        """Whether something may be sent at this moment."""
        shown = now.astimezone(self.zone).time()
        if self.opens < self.closes:
            return self.opens <= shown < self.closes
        return shown >= self.opens or shown < self.closes

    def closes_at(self, now: dt.datetime) -> dt.datetime:
        """When it is next closed: `now` if it is closed already."""
        return self._first(now, is_open=False)

    def opens_at(self, now: dt.datetime) -> dt.datetime:
        """When it is next open: `now` if it is open already."""
        return self._first(now, is_open=True)

    def _first(self, now: dt.datetime, *, is_open: bool) -> dt.datetime:
        begin = now.astimezone(dt.UTC)
        moments = sorted({moment for moment in self._turns(begin) if moment > begin})
        return next(moment for moment in [begin, *moments] if self.is_open(moment) == is_open)

    def _turns(self, begin: dt.datetime) -> Iterator[dt.datetime]:
        """Every moment of the next days at which the window may open or close."""
        today = begin.astimezone(self.zone).date()
        for day in range(-1, _MOST_DAYS):
            for time in (self.opens, self.closes):
                shown = dt.datetime.combine(today + day * _DAY, time, self.zone)
                yield from (shown.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))
        for hour in range(_MOST_DAYS * _HOURS_A_DAY):
            before, after = begin + hour * _HOUR, begin + (hour + 1) * _HOUR
            if self._offset(before) != self._offset(after):
                yield self._turn_of_the_clock(before, after)

    def _turn_of_the_clock(self, before: dt.datetime, after: dt.datetime) -> dt.datetime:
        was = self._offset(before)
        first, last = before.replace(microsecond=0), after.replace(microsecond=0) + _SECOND
        while last - first > _SECOND:
            middle = first + (last - first) // 2 // _SECOND * _SECOND
            first, last = (middle, last) if self._offset(middle) == was else (first, middle)
        return last

    def _offset(self, moment: dt.datetime) -> dt.timedelta | None:
        return moment.astimezone(self.zone).utcoffset()


def parse_window(text: str, zone: ZoneInfo) -> Window:
    """A window as a migration file writes it; the hyphen may be an en dash, and the day ends at 24:00.

    Raises:
        ValueError: it is not a window; says how to write one.
    """
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise ValueError("is not a window: write it as HH:MM-HH:MM, e.g. 01:00-07:00")
    hours, minutes = (int(written[1]), int(written[3])), (int(written[2]), int(written[4]))
    for hour, minute in zip(hours, minutes, strict=True):
        if not ((hour < _HOURS_A_DAY and minute < _MINUTES_AN_HOUR) or (hour, minute) == (_HOURS_A_DAY, 0)):
            raise ValueError(
                f"has the time {hour:02}:{minute:02}, which does not exist: a day goes from 00:00 to 24:00"
            )
    opens, closes = (dt.time(hour % _HOURS_A_DAY, minute) for hour, minute in zip(hours, minutes, strict=True))
    if opens == closes:
        raise ValueError("opens and closes at the same time: omit it to allow sending all day")
    return Window(opens=opens, closes=closes, zone=zone)
