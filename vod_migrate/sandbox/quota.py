"""A quota in any sliding second, and the busiest sliding second seen."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_S: Final = 1.0


class SlidingSecond:
    """The calls accepted in the last second. Refused calls do not count."""

    __slots__ = ("_accepted", "most")

    def __init__(self) -> None:
        self._accepted: deque[float] = deque()
        self.most = 0

    def accept(self, now: float, limit: int | None) -> bool:
        """Whether a call at `now` (monotonic seconds) keeps every window of one second within `limit` calls."""
        accepted = self._accepted
        while accepted and accepted[0] <= now - WINDOW_S:
            accepted.popleft()
        if limit is not None and len(accepted) >= limit:
            return False
        accepted.append(now)
        self.most = max(self.most, len(accepted))
        return True
