"""The batches in hand of one worker, and its calls in flight."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vod_migrate.media import Batch


class SendQueue:
    """Batches that wait to be sent, and the files that are in a call right now.

    Until the first batch is answered nobody else gets one: the first call sets up what all share (the SDK's session and TLS
    context), and calls that waited for it would leave in one bunch and be throttled.
    """

    def __init__(self) -> None:
        self._waiting: deque[Batch] = deque()
        self._changed = threading.Condition()
        self._outstanding = 0
        self._taken = 0
        self._answered = False
        self._closed = False
        self._in_flight: dict[int, tuple[str, ...]] = {}

    def put(self, batches: Iterable[Batch]) -> None:
        """More to send."""
        for batch in batches:
            with self._changed:
                self._outstanding += 1
                self._waiting.append(batch)
                self._changed.notify()

    def take(self) -> Batch | None:
        """Waits for the next batch; None once the queue is closed. The taker calls `done` when it is answered."""
        with self._changed:
            while not self._closed and (not self._waiting or (self._taken and not self._answered)):
                self._changed.wait()
            if self._closed:
                return None
            self._taken += 1
            return self._waiting.popleft()

    def take_last(self) -> Batch | None:
        """The batch that would be sent last, None when none waits. It no longer counts as in hand."""
        with self._changed:
            if not self._waiting:
                return None
            self._outstanding -= 1
            return self._waiting.pop()

    def done(self) -> None:
        """A batch that was taken is answered, or given up."""
        with self._changed:
            self._outstanding -= 1
            if not self._answered:
                self._answered = True
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is taken; what waits is not sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many batches wait."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a batch waits or is being sent."""
        with self._changed:
            return self._outstanding > 0

    @contextmanager
    def flying(self, batch: Batch) -> Iterator[None]:
        """While this is held the batch is in a call."""
        me = threading.get_ident()
        with self._changed:
            self._in_flight[me] = tuple(entry.key for entry in batch.entries)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight.pop(me, None)

    def in_flight(self) -> list[str]:
        """The keys whose call is in flight."""
        with self._changed:
            return [key for keys in self._in_flight.values() for key in keys]
