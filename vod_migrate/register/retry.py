"""Tries again what may go away by itself."""

from __future__ import annotations

import logging

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from vod_migrate.errors import BrokenReply, RequestRefused, Retryable, StoreError, Throttled
from vod_migrate.media import Batch, Reply
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.registrar import Registrar
from vod_migrate.shutdown import Clock, Timings

log = logging.getLogger(__name__)

BROKEN_BEFORE_SPLIT = 3
"""Unreadable answers to one batch, while others are answered, before the batch itself is suspected."""
BROKEN_ALONE_BEFORE_SPLIT = 8
"""The same where nothing else is answered, so that it may as well be an outage."""


class Retried:
    """Tries again what may go away by itself, with full jitter, until it does or the worker stops.

    Unreadable answers to one batch alone, while others are answered, are taken as a refusal of that batch: a request that
    a gateway turns down (too long a URL, say) would otherwise come back for ever. Where no other call is there to be
    answered, a batch is split after some more of them, which costs calls but fails nothing.
    """

    def __init__(self, inner: Registrar, *, clock: Clock, breaker: Breaker, timings: Timings) -> None:
        self._inner = inner
        self._clock = clock
        self._breaker = breaker
        self._timings = timings

    def register(self, batch: Batch) -> Reply:
        """Sends, as often as it takes."""
        began, broken = self._clock.now(), 0
        retrying = Retrying(
            retry=retry_if_exception(_may_go_away),
            wait=wait_random_exponential(multiplier=self._timings.retry_first, max=self._timings.retry_longest),
            sleep=self._clock.sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                try:
                    return self._inner.register(batch)
                except BrokenReply as error:
                    broken += 1
                    suspected = broken >= BROKEN_BEFORE_SPLIT and self._breaker.answered_since(began)
                    if not suspected and (len(batch) == 1 or broken < BROKEN_ALONE_BEFORE_SPLIT):
                        raise
                    raise RequestRefused(str(error), code=error.code, http_status=error.http_status) from error
        raise AssertionError("unreachable: tenacity re-raises")


def _may_go_away(error: BaseException) -> bool:
    # The store has been patient itself; a call that was answered is not made again because it could not be recorded.
    return isinstance(error, Retryable) and not isinstance(error, StoreError)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0.0
    level = logging.DEBUG if isinstance(error, Throttled) else logging.INFO
    log.log(level, "try %d failed, next in %.1f s: %s", state.attempt_number, wait, error)
