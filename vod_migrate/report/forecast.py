"""How fast a run goes now and when it will be done: arithmetic on its report only."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from vod_migrate.report.model import Report

_RECENT_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """done: share of what is known to be sent, 0 to 1; per_second: objects, of late; seconds_left: None where nobody can say."""

    done: float
    per_second: float
    seconds_left: float | None


def forecast(report: Report) -> Forecast:
    """From the calls of the last minute, and from how many files a call carries on average.

    What is left is what has been listed so far; while the listing goes on, the end moves away.
    """
    waiting = report.counts.pending + report.counts.unknown
    known = report.settled + waiting
    per_second = _recent(report)
    return Forecast(
        done=report.settled / known if known else 0.0,
        per_second=per_second,
        seconds_left=waiting / per_second if per_second > 0 else None,
    )


def _recent(report: Report) -> float:
    answered = report.calls.ok
    if not answered or not report.rates.points:
        return 0.0
    stretches = max(1, _RECENT_SECONDS // report.rates.width)
    calls = fmean(point.accepted for point in report.rates.points[-stretches:])
    return calls * report.settled / answered
