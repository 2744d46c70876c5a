"""Small charts of the pages: registered and failed objects as bars, and an account's quota as one bar. Arithmetic only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vod_migrate.report.browse.quota import QuotaBar

BAR_WIDTH, BAR_HEIGHT = 8, 48


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Two SVG paths for a box `width` wide and BAR_HEIGHT high: a page shows forty charts of thirty bars. highest: what its height stands for."""

    width: int
    highest: float
    registered: str
    failed: str


@dataclass(frozen=True, kw_only=True)
class BarSegment:
    """A stretch of the quota's bar, in per cent of its length; kind: a class of the style sheet."""

    kind: str
    at: float
    width: float


def bars(counts: Sequence[tuple[float, float]]) -> Bars | None:
    """(registered, failed) from left to right, failed above registered; None where there is nothing to draw."""
    highest = max((registered + failed for registered, failed in counts), default=0)
    if not highest:
        return None
    scaled = [(BAR_HEIGHT * registered / highest, BAR_HEIGHT * failed / highest) for registered, failed in counts]
    return Bars(
        width=BAR_WIDTH * len(counts),
        highest=highest,
        registered=_path((BAR_HEIGHT, height) for height, _ in scaled),
        failed=_path((BAR_HEIGHT - below, height) for below, height in scaled),
    )


def _path(bars: Iterable[tuple[float, float]]) -> str:
    """(bottom, height) of each bar → the path of them all."""
    return "".join(
        f"M{BAR_WIDTH * number + 1} {bottom:.1f}v{-height:.1f}h{BAR_WIDTH - 2}v{height:.1f}z"
        for number, (bottom, height) in enumerate(bars)
        if height
    )


def quota_segments(bar: QuotaBar) -> list[BarSegment]:
    """From left to right: each sending run, what is free, what throttling has taken away, what is left to other programs."""
    whole = max(bar.documented, bar.rate, bar.used)
    lengths = [(f"user u{number % 6}", user.calls_per_second) for number, user in enumerate(bar.users)]
    lengths += [
        ("free", bar.free),
        ("slowed", max(0.0, bar.rate - max(bar.used, bar.in_force))),
        ("reserve", bar.reserve),
    ]
    segments, at = [], 0.0
    for kind, length in lengths:
        width = min(100 * length / whole, 100 - at)
        if width > 0:
            segments.append(BarSegment(kind=kind, at=at, width=width))
        at += width
    return segments
