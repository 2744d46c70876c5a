"""SIGTERM while the main thread sits in the lock that `Event.set` needs: the case that a plain event hangs in."""

from __future__ import annotations

import signal
import time
from types import FrameType

import pytest

from vod_migrate.shutdown import StopSignal


@pytest.fixture
def handled() -> StopSignal:
    asked = StopSignal()
    before = signal.getsignal(signal.SIGUSR1)

    def handle(_number: int, _frame: FrameType | None) -> None:
        asked.ask()

    signal.signal(signal.SIGUSR1, handle)
    yield asked
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_wakes_a_waiting_main_thread(handled: StopSignal) -> None:
    started = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.raise_signal(signal.SIGUSR1)

    assert handled.event.wait(5)
    assert time.monotonic() - started < 2


def test_a_signal_inside_the_events_own_lock_does_not_deadlock(handled: StopSignal) -> None:
    with handled.event._cond:
        signal.raise_signal(signal.SIGUSR1)

    assert handled.event.wait(5)
