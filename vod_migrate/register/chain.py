"""The wrappers around the one call, in their order: the only place that knows it.

    Split          halves a refused batch until the refused files stand alone
    Retried        tries again what may go away by itself
    Guarded        waits while the breaker is open
    Fenced         leaves out what another worker holds now
    CallsLimited   counts the call, where the run may make only so many
    Limited        waits for the account's next send time
    Recorded       records the call and what it meant
    Tracked        knows which files are in a call right now
    client         the call

Each sends a batch and returns its reply, as `Registrar` promises. Whatever may wait for the database comes before Limited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vod_migrate.errors import Interrupted
from vod_migrate.media import Batch, Entry, Reply
from vod_migrate.rate.limiter import RateLimiter
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.lease import Fenced
from vod_migrate.register.limiter import Guarded, Limited
from vod_migrate.register.pause import CallsLimited
from vod_migrate.register.recorder import Recorded
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.retry import Retried
from vod_migrate.register.send_queue import SendQueue
from vod_migrate.register.split import SendProof, Split


def chain(
    context: WorkerContext,
    rate: RateLimiter,
    *,
    renew: Callable[[], None],
    far_end: Callable[[int], Sequence[Entry]],
) -> Registrar:
    """What the sending threads of a worker share. renew: as for Fenced; far_end: as for SendProof."""
    store, run, place = context.store, context.run, context.place
    proof = SendProof(context, far_end)
    breaker = Breaker(context.clock, context.timings)

    def may_leave() -> bool:
        if (over := context.deadline.passed()) is not None:
            raise over
        if context.halt.asked:
            raise Interrupted("the worker was stopped", code="interrupted")
        return breaker.admits_still() and context.lease.holds_since()

    call: Registrar = Tracked(context.client, context.hand)
    call = Recorded(call, context, accepted=proof.accepted)
    call = Limited(call, rate, may_leave=may_leave)
    call = CallsLimited(call, store, run, clock=context.clock)
    call = Fenced(call, context.lease, renew=renew, still_held=lambda keys: store.still_held(run, place, keys))
    call = Guarded(call, breaker)
    call = Retried(call, clock=context.clock, breaker=breaker, timings=context.timings)
    return Split(call, fail=lambda failures: context.ledger.record(None, failures), proof=proof)


class Tracked:
    """Knows which files are in a call right now, for the moment of stopping."""

    def __init__(self, inner: Registrar, hand: SendQueue) -> None:
        self._inner = inner
        self._hand = hand

    def register(self, batch: Batch) -> Reply:
        """Sends while counted as in flight."""
        with self._hand.flying(batch):
            return self._inner.register(batch)
