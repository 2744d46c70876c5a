"""Waits out what may go away by itself, for calls outside the worker's own chain."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from vod_migrate.errors import Retryable
from vod_migrate.shutdown import StopClock

log = logging.getLogger(__name__)


T = TypeVar("T")


def _patiently(clock: StopClock, ask: Callable[[], T]) -> T:
    retrying = Retrying(
        retry=retry_if_exception_type(Retryable),
        wait=wait_random_exponential(multiplier=0.5, max=30),
        sleep=clock.sleep,
        before_sleep=_log_retry,
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            return ask()
    raise AssertionError("unreachable: tenacity re-raises")


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info("try %d failed: %s", state.attempt_number, error)
