"""Waits out what may go away by itself, for requests outside the worker's own chain of wrappers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    wait_random_exponential,
)

from vod_migrate.errors import Retryable

log = logging.getLogger(__name__)
TRIES = 8
"""For what lists or reads a source: about a minute with the pauses between."""

T = TypeVar("T")


def patiently(ask: Callable[[], T], *, sleep: Callable[[float], None], tries: int | None = None) -> T:
    """What `ask` returns, tried again while it raises a Retryable. tries: None for as long as `sleep` lets it."""
    return Retrying(
        retry=retry_if_exception_type(Retryable),
        wait=wait_random_exponential(multiplier=0.5, max=30),
        stop=stop_never if tries is None else stop_after_attempt(tries),
        sleep=sleep,
        before_sleep=_log_retry,
        reraise=True,
    )(ask)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.info("attempt %d failed: %s", state.attempt_number, error)
