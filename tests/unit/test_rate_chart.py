"""The points of the chart of calls per second."""

from __future__ import annotations

import pytest

from vod_migrate.report.rate_chart import MOST_POINTS, RatePoint, bucket_width, coarser, rate_points


@pytest.mark.parametrize(
    ("span", "width", "why"),
    [
        (0, 1, "a single call still has its second"),
        (0.4, 1, "never below the second that the quota counts by"),
        (599.9, 1, "600 points of a second"),
        (600, 2, "the 601st second needs wider ones"),
        (1_199, 2, "600 points of two seconds"),
        (1_200, 5, "the next round number"),
        (7 * 3_600, 60, "a night: by the minute"),
        (7 * 86_400, 1_800, "a week: by the half hour"),
        (600 * 86_400 - 1, 86_400, "the widest of the table"),
        (600 * 86_400, 2 * 86_400, "beyond the table: whole days"),
        (5_000 * 86_400, 9 * 86_400, "however long"),
    ],
)
def test_a_stretch_is_the_smallest_round_time_that_needs_no_more_points_than_a_chart_can_show(
    span: float, width: int, why: str
) -> None:
    assert bucket_width(span) == width, why
    assert int(span // width) + 1 <= MOST_POINTS


@pytest.mark.parametrize(
    ("counted", "width", "span", "accepted", "why"),
    [
        ([], 1, 0.0, [], "no call, no point"),
        ([(0, 1, 0, 0)], 1, 0.0, [1], "one call is one a second"),
        ([(0, 40, 0, 0), (3, 20, 0, 0)], 1, 3.5, [40, 0, 0, 20], "a pause is shown as zero, not skipped"),
        ([(0, 100, 0, 0), (1, 45, 0, 0)], 10, 14.5, [10, 10], "the last stretch counts only the seconds it had"),
        ([(0, 100, 0, 0), (1, 3, 0, 0)], 10, 10.2, [10, 3], "but never less than a second"),
        ([(0, 10, 0, 0), (2, 10, 0, 0)], 1, 1.9999, [10, 0, 10], "what the database rounded up is not lost"),
    ],
)
def test_every_stretch_of_the_run_becomes_one_point(
    counted: list[tuple[int, int, int, int]], width: int, span: float, accepted: list[float], why: str
) -> None:
    points = rate_points(counted, width=width, span=span)
    assert [point.accepted for point in points] == accepted, why
    assert [point.offset for point in points] == [number * width for number in range(len(points))]


def test_throttled_and_other_calls_are_rates_of_their_own() -> None:
    points = rate_points([(0, 20, 10, 4), (1, 2, 1, 0)], width=2, span=3.9)
    assert points[0] == RatePoint(offset=0, accepted=10, throttled=5, other=2)


@pytest.mark.parametrize(
    ("points", "most", "left"), [(0, 20, 0), (1, 20, 1), (20, 20, 20), (21, 20, 11), (600, 20, 20)]
)
def test_a_table_has_fewer_rows_than_the_chart_has_points_but_the_same_mean(points: int, most: int, left: int) -> None:
    fine = tuple(RatePoint(offset=n, accepted=n % 2, throttled=0, other=0) for n in range(points))
    rough = coarser(fine, most=most)
    assert len(rough) == left
    if points and points % left == 0:
        assert sum(point.accepted for point in rough) / left == sum(point.accepted for point in fine) / points
