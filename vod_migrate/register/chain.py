"""The wrappers around the one call, in their order: the only place that knows it.

Split          halves a refused batch until the refused files stand alone
Retried        tries again what may go away by itself
Guarded        waits while the breaker is open
Limited        waits for the account's next send time
Fenced         leaves out what another worker holds now
PauseLimited   sends what the run's window and its limits still allow
Recorded       writes the call and what it meant
Tracked        knows which files are in a call right now
client         the call
"""

from __future__ import annotations

from collections.abc import Callable

from vod_migrate.media import Batch, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.fence import Fenced
from vod_migrate.register.limiter import Guarded, Limited
from vod_migrate.register.pause import PauseLimited
from vod_migrate.register.recorder import Recorded
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.retry import Retried
from vod_migrate.register.send_queue import SendQueue
from vod_migrate.register.split import Split


def chain(
    context: WorkerContext, rate: RateLimiter, *, proven: Callable[[], bool], probe: Callable[[Registrar], bool]
) -> Registrar:
    """What the sending threads of a worker share. proven, probe: as for Split."""
    breaker = Breaker(context.clock, context.timings)
    call: Registrar = Tracked(context.client, context.hand)
    call = Recorded(call, context)
    call = PauseLimited(call, context)
    call = Fenced(call, holdings=context.store, token=context.token)
    call = Limited(call, rate, breaker)
    call = Guarded(call, breaker)
    call = Retried(call, clock=context.clock, breaker=breaker, timings=context.timings)
    return Split(
        call,
        fail=lambda failures: context.store.record_failures(context.run.run_id, context.token, failures),
        proven=proven,
        probe=probe,
    )


class Tracked:
    """Knows which files are in a call right now, for the moment of stopping."""

    def __init__(self, inner: Registrar, hand: SendQueue) -> None:
        self._inner = inner
        self._hand = hand

    def register(self, batch: Batch) -> Reply:
        """Sends while counted as in flight."""
        with self._hand.flying(batch):
            return self._inner.register(batch)
