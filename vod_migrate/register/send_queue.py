"""What the threads of one worker share: the batches in hand, the calls under way, and the word to halt."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from vod_migrate.media import Batch


class StopRequest:
    """Ends a worker's threads, for the first reason that anybody gives. event: for waits that must end with it."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.reason: BaseException | None = None
        self._lock = threading.Lock()

    def ask(self, reason: BaseException | None) -> None:
        """Ends the work; None: because there is none left."""
        with self._lock:
            if not self.event.is_set():
                self.reason = reason
            self.event.set()

    @property
    def asked(self) -> bool:
        """Whether the work is to end."""
        return self.event.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits, and says whether the work is to end."""
        return self.event.wait(seconds)


class SendQueue:
    """Batches that wait to be sent, and the files that are in a call right now."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Batch] = queue.Queue()
        self._lock = threading.Lock()
        self._outstanding = 0
        self._in_flight: dict[int, tuple[int, ...]] = {}

    def put(self, batches: Iterable[Batch]) -> None:
        """More to send."""
        for batch in batches:
            with self._lock:
                self._outstanding += 1
            self._queue.put(batch)

    def take(self, seconds: float) -> Batch | None:
        """The next batch, None when there is none for so long; the taker says `done` when it is answered."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def take_last(self) -> Batch | None:
        """The batch that would be sent last, None when none waits. It does not count any more."""
        with self._queue.mutex:
            if not self._queue.queue:
                return None
            batch: Batch = self._queue.queue.pop()
        self.done()
        return batch

    def done(self) -> None:
        """A batch that was taken is answered, or given up."""
        with self._lock:
            self._outstanding -= 1

    @property
    def waiting(self) -> int:
        """How many batches wait."""
        return self._queue.qsize()

    @property
    def busy(self) -> bool:
        """Whether a batch waits or is being sent."""
        with self._lock:
            return self._outstanding > 0

    @contextmanager
    def flying(self, batch: Batch) -> Iterator[None]:
        """While this is held the batch is in a call."""
        me = threading.get_ident()
        with self._lock:
            self._in_flight[me] = tuple(entry.result_id for entry in batch.entries)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.pop(me, None)

    def in_flight(self) -> list[int]:
        """The results whose call is under way."""
        with self._lock:
            return [result_id for ids in self._in_flight.values() for result_id in ids]
