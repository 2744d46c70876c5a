"""Asking with a time limit: a service, a database or a name server that never answers must not hang a checklist."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 12.0
"""For one question: more than what connecting and reading may take by themselves (3 and 8 s), which leaves a name server 1 s."""
CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0


class NoAnswer(Exception):
    """A question took longer than its limit; its thread is left behind."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")


class TimedCall(Generic[T]):
    """A question that is under way in a thread of its own. seconds: its limit, from now on."""

    def __init__(self, question: Callable[[], T], *, seconds: float = LIMIT_SECONDS) -> None:
        self._question = question
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._ask, name="doctor", daemon=True)
        self._thread.start()

    def answer(self) -> T:
        """Waits for the answer.

        Raises:
            NoAnswer: it took too long. What the question raises.
        """
        self._thread.join(max(0.0, self._until - time.monotonic()))
        if self._thread.is_alive():
            raise NoAnswer(self._seconds)
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def _ask(self) -> None:
        try:
            self._answer.append(self._question())
        except BaseException as error:  # noqa: BLE001 - handed to who waits
            self._error = error
