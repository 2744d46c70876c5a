"""How a signal reaches the engine's stop event without a deadlock.

Python runs a signal's handler on the main thread, and Airflow calls `on_kill` inside one. `threading.Event.set` takes a lock that the same
thread may be holding at that moment (inside `wait`), and would then wait for itself. `SimpleQueue.put` is reentrant by
contract, so the handler only puts, and a thread of its own sets the event.
"""

from __future__ import annotations

import queue
import threading

__all__ = ["StopSignal"]


class StopSignal:
    """A stop event that a signal handler may set."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._pass_on, name="stop-signal", daemon=True).start()

    def ask(self) -> None:
        """Sets `event` soon; safe inside a signal handler."""
        self._asked.put(None)

    def _pass_on(self) -> None:
        self._asked.get()
        self.event.set()
