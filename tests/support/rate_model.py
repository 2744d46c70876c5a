"""The arithmetic of the quota rows, for tests that cannot wait for a database's clock. test_rate_in_sql.py holds it against SQL."""

from __future__ import annotations

from vod_migrate.rate.limiter import AHEAD_SECONDS, CUT, LOWEST, MOST_CUT


def next_slot(*, now: float, reserved_until: float, ahead: float = AHEAD_SECONDS) -> float | None:
    """When the next call may leave; None when slots are reserved further ahead than allowed."""
    return None if reserved_until > now + ahead else max(now, reserved_until)


def share_in_force(*, share: float, seconds_since_cut: float) -> float:
    """What a share has grown to since the last cut."""
    seconds = min(3600.0, max(0.0, seconds_since_cut))
    return min(1.0, share + 0.006 * min(1.0, seconds) + 0.00001 * seconds**3)


def share_after_refusal(*, share: float, rate: float) -> float:
    """What one throttled call leaves of the share in force. rate: calls per second."""
    return max(LOWEST, share * max(1 - MOST_CUT, 1 - CUT / (rate * share)))
