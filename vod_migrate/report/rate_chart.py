"""Calls per second over time, in so few points that a chart can draw them: arithmetic only.

A run may last a second or a week. Its calls are counted in stretches of equal width, chosen so that there are never more than
600 of them; each stretch becomes one point, a rate in calls per second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

DOCUMENTED_CALLS_PER_SECOND = 50.0
"""RegisterMedia takes 50 calls a second per account (QPS limits page, 2024-10)."""

MOST_POINTS = 600
"""More points than a chart of 1,200 pixels can tell apart help nobody."""

_DAY = 86_400
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, _DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class RatePoint:
    """A stretch of a run: it begins `offset` seconds after the first call; the rest are calls per second.

    accepted: answered with outcomes; other: refused, or without an answer.
    """

    offset: int
    accepted: float
    throttled: float
    other: float


def bucket_width(span: float) -> int:
    """The width in whole seconds of each stretch, for calls that began within `span` seconds.

    At least 1 s, since the quota counts by the second; a round number of seconds, minutes or hours.
    """
    for width in _WIDTHS:
        if math.floor(span / width) + 1 <= MOST_POINTS:
            return width
    return math.ceil((span + 1) / MOST_POINTS / _DAY) * _DAY


def rate_points(counted: Iterable[tuple[int, int, int, int]], *, width: int, span: float) -> tuple[RatePoint, ...]:
    """One point for every stretch from the first call to the last, also for those without a call.

    counted: (stretch, accepted, throttled, other), in calls; a stretch that is not named had none. The last stretch is
    divided by the seconds of it that the run used, so that the end of a run does not look slow.
    """
    calls = {stretch: (accepted, throttled, other) for stretch, accepted, throttled, other in counted}
    if not calls:
        return ()
    last = max(math.floor(span / width), *calls)
    points = []
    for stretch in range(last + 1):
        seconds = max(1.0, min(width, span - stretch * width))
        accepted, throttled, other = calls.get(stretch, (0, 0, 0))
        points.append(
            RatePoint(
                offset=stretch * width,
                accepted=accepted / seconds,
                throttled=throttled / seconds,
                other=other / seconds,
            )
        )
    return tuple(points)


def coarser(points: Sequence[RatePoint], *, most: int) -> tuple[RatePoint, ...]:
    """The same stretch of time in at most `most` points, each the mean of its neighbours; for a table instead of a chart."""
    together = max(1, math.ceil(len(points) / most))
    merged = []
    for first in range(0, len(points), together):
        part = points[first : first + together]
        merged.append(
            RatePoint(
                offset=part[0].offset,
                accepted=fmean(point.accepted for point in part),
                throttled=fmean(point.throttled for point in part),
                other=fmean(point.other for point in part),
            )
        )
    return tuple(merged)
