"""Claimed objects that wait for their turn: what was claimed together with a canary, or for a probe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from vod_migrate.results.work import Work


class Aside:
    """Shared by the threads of one worker."""

    def __init__(self, claim_last: Callable[[], Sequence[Work]]) -> None:
        """claim_last: claims from the far end of the backlog."""
        self._claim_last = claim_last
        self._lock = threading.Lock()
        self._works: list[Work] = []

    def put(self, works: Sequence[Work]) -> None:
        """These wait, too."""
        with self._lock:
            self._works += works

    def take(self) -> list[Work]:
        """Everything that waits; each once."""
        with self._lock:
            works, self._works = self._works, []
        return works

    def far_end(self, most: int) -> list[Work]:
        """Some objects from the far end of the backlog; what is claimed with them waits."""
        claimed = self._claim_last()
        with self._lock:
            works = [*self._works, *claimed]
            self._works = works[:-most]
        return works[-most:]
