"""The wrappers that make a call wait: for the account's rate, and while the breaker is open."""

from __future__ import annotations

from collections.abc import Callable

from vod_migrate.errors import RegisterError, Throttled, Transient
from vod_migrate.media import Batch, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.registrar import Registrar


class HeldBack(Exception):
    """The call may not leave, although it has its slot: nothing was sent, and it passes all checks again."""


class Limited:
    """Waits for the account's next send time; a throttled answer slows the whole account down.

    Nothing that may wait stands between the slot and the call: what was late would leave in one bunch.
    """

    def __init__(self, inner: Registrar, rate: RateLimiter, *, may_leave: Callable[[], bool]) -> None:
        """may_leave: the last check before the call, which must not wait; it raises what ends the worker."""
        self._inner = inner
        self._rate = rate
        self._may_leave = may_leave

    def register(self, batch: Batch) -> Reply:
        """Waits, then sends."""
        self._rate.wait()
        if not self._may_leave():
            raise HeldBack
        try:
            return self._inner.register(batch)
        except Throttled as error:
            self._rate.throttled(retry_after=error.retry_after)
            raise


class Guarded:
    """Waits while the breaker is open, and tells it how each call went."""

    def __init__(self, inner: Registrar, breaker: Breaker) -> None:
        self._inner = inner
        self._breaker = breaker

    def register(self, batch: Batch) -> Reply:
        """Sends when the service is believed to be there."""
        while True:
            self._breaker.admit()
            try:
                reply = self._inner.register(batch)
            except HeldBack:
                continue
            except Transient as error:
                self._breaker.failed(error)
                raise
            except RegisterError:
                self._breaker.answered()
                raise
            self._breaker.answered()
            return reply
