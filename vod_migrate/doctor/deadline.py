"""Checks made side by side until one deadline: a service, a database or a name server that never answers must not hang them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from typing import TypeVar

from vod_migrate.doctor.checklist import Check

T = TypeVar("T")

TIMEOUTS = (3.0, 8.0)
"""Seconds for connecting to and reading from OSS and VOD: a service that is away is named before the deadline."""


def in_thread(question: Callable[[], T]) -> Future[T]:
    """The answer to come. The thread is a daemon: one that hangs, as a name server's may, does not keep the process alive."""
    future: Future[T] = Future()

    def ask() -> None:
        try:
            future.set_result(question())
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            future.set_exception(error)

    threading.Thread(target=ask, name="doctor", daemon=True).start()
    return future


class Lines:
    """Several lines of checks at once, each in a thread of its own."""

    def __init__(self) -> None:
        self._made: dict[str, Check] = {}
        self._under_way: list[Future[None]] = []

    def start(self, *lines: Iterator[Check]) -> None:
        """Begins lines; each check counts as soon as it is made."""
        self._under_way += [in_thread(partial(self._make, line)) for line in lines]

    def made(self, seconds: float) -> dict[str, Check]:
        """What has been made after some seconds at most, by name."""
        done, _ = wait(self._under_way, timeout=max(0.0, seconds))
        for future in done:
            future.result()
        return dict(self._made)

    def _make(self, line: Iterable[Check]) -> None:
        for check in line:
            self._made[check.name] = check
