"""Time that passes only when everybody waits: threads sleep on it, and a database tells it."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

import psycopg

from vod_migrate.errors import Interrupted

_DATABASE_CLOCK = """
create schema virtual;
create table virtual.time (now timestamptz not null);
insert into virtual.time values (pg_catalog.clock_timestamp());
create function virtual.clock_timestamp() returns timestamptz language sql volatile as 'select now from virtual.time';
"""


class VirtualTime:
    """A Clock for many threads, of which one runs at a time, the one that wakes next. database: its URL.

    What connects through `url` finds `virtual.clock_timestamp` before Postgres's own.
    """

    def __init__(self, database: str) -> None:
        self.url = f"{database}&options=-c%20search_path%3Dvirtual,pg_catalog,public"
        self._connection = psycopg.connect(database, autocommit=True)
        self._connection.execute(_DATABASE_CLOCK)
        self._passed = 0.0
        self._ended = False
        self._running = 0
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._asleep: list[tuple[float, int, threading.Event]] = []

    def now(self) -> float:
        """Seconds since the beginning."""
        return self._passed

    def sleep(self, seconds: float) -> None:
        """Lets the others run until that time has come. Raises Interrupted at the end."""
        awake = threading.Event()
        with self._changed:
            heapq.heappush(self._asleep, (self._passed + max(0.0, seconds), next(self._numbers), awake))
            self._running -= 1
            self._changed.notify()
        awake.wait()
        if self._ended:
            raise Interrupted("the end", code="interrupted")

    def start(self, work: Callable[[], None]) -> None:
        """Runs work, which sleeps on this clock for ever, on a thread."""

        def go() -> None:
            try:
                work()
            except Interrupted:
                return

        self._running += 1
        threading.Thread(target=go, daemon=True).start()
        self._settle()

    def pass_by(self, seconds: float) -> None:
        """Wakes everybody whose time comes."""
        end = self._passed + seconds
        while self._asleep[0][0] <= end:
            at, _, awake = heapq.heappop(self._asleep)
            self._set(at)
            self._running += 1
            awake.set()
            self._settle()
        self._set(end)

    def end(self) -> None:
        """Ends every thread at its sleep."""
        self._ended = True
        for *_, awake in self._asleep:
            awake.set()
        self._connection.close()

    def _settle(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._running == 0, timeout=60), "a thread waits for something else"

    def _set(self, at: float) -> None:
        if at > self._passed:
            self._connection.execute(
                "update virtual.time set now = now + make_interval(secs => %s)", (at - self._passed,)
            )
            self._passed = at
