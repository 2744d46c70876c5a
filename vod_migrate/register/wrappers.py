"""What surrounds the one call, each as a wrapper with the same face.

    Split(Retried(Guarded(Limited(Fenced(Recorded(RegisterMediaClient))))))

Recorded: one commit per call. Fenced: only what is still held (fence.py). Limited: the account's pace. Guarded: the breaker. Retried: what may go away by itself, with
full jitter, for as long as it takes. Split: a refused call is halved until the offending description stands alone.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from collections.abc import Callable, Sequence

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from vod_migrate.clock import Clock
from vod_migrate.errors import (
    AccountStopped,
    AllRefused,
    BrokenReply,
    RegisterError,
    RequestRefused,
    Retryable,
    StoreError,
    Throttled,
    TokenExpired,
    Transient,
)
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.batching import metadata
from vod_migrate.register.breaker import Breaker
from vod_migrate.register.client import Registrar
from vod_migrate.register.quota import AccountPace
from vod_migrate.register.replies import TRIED_ALONE
from vod_migrate.results.rows import CallRecord, Settlement
from vod_migrate.results.store import Store

__all__ = ["Guarded", "Limited", "Recorded", "Retried", "Split", "settle"]

log = logging.getLogger(__name__)

MOST_NO_ANSWERS = 5
"""Replies without a word about an object before it counts as failed."""
BROKEN_BEFORE_SPLIT = 3
"""Unreadable answers to one batch, while others are answered, before the batch itself is suspected."""
BROKEN_ALONE_BEFORE_SPLIT = 8
"""The same where nothing else is answered, so that it may as well be an outage."""
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


def settle(entry: Entry, outcome: Outcome) -> Settlement:
    """What an outcome does to its result.

    A first refusal, and what only a reply about the file alone can clear up, earns a second try, alone; a fifth silence is a
    failure.
    """
    described = {name: value for name, value in metadata(entry).items() if name != "FileURL"}
    if outcome.verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED):
        return Settlement(
            result_id=entry.result_id,
            outcome=outcome.verdict.value,
            state="registered",
            media_id=outcome.media_id,
            description=described,
        )
    if outcome.verdict is Verdict.FAILED or outcome.code in TRIED_ALONE:
        final = entry.attempts > 0
        return Settlement(
            result_id=entry.result_id,
            outcome="failed" if final else "retry",
            state="failed" if final else "pending",
            code=outcome.code,
            message=outcome.message,
            description=described,
        )
    if entry.no_answers + 1 >= MOST_NO_ANSWERS:
        return Settlement(
            result_id=entry.result_id,
            outcome="failed",
            state="failed",
            code="no_answer",
            message=f"{MOST_NO_ANSWERS} replies gave no clear answer about this file; the last: {outcome.message}",
            description=described,
        )
    return Settlement(
        result_id=entry.result_id, outcome="unknown", state="pending", code=outcome.code, message=outcome.message
    )


class Recorded:
    """Writes each call's audit row, and with it what the call meant, in one commit."""

    def __init__(self, inner: Registrar, *, store: Store, run_id: str, token: uuid.UUID, worker: str) -> None:
        self._inner = inner
        self._store = store
        self._run_id = run_id
        self._token = token
        self._worker = worker

    def register(self, batch: Batch) -> Reply:
        """Sends and records."""
        started, began = dt.datetime.now(dt.UTC), time.monotonic()
        try:
            reply = self._inner.register(batch)
        except RegisterError as error:
            self._record(batch, started, began, answer=_answer(error), error=error)
            if isinstance(error, Transient):
                self._store.mark_unsure(self._token, [entry.result_id for entry in batch.entries])
            raise
        entries = {entry.result_id: entry for entry in batch.entries}
        settlements = [settle(entries[outcome.result_id], outcome) for outcome in reply.outcomes]
        self._record(batch, started, began, answer="ok", request_id=reply.request_id, settlements=settlements)
        return reply

    def _record(
        self,
        batch: Batch,
        started: dt.datetime,
        began: float,
        *,
        answer: str,
        error: RegisterError | None = None,
        request_id: str | None = None,
        settlements: Sequence[Settlement] = (),
    ) -> None:
        call = CallRecord(
            call_id=uuid.uuid4(),
            worker=self._worker,
            started_at=started,
            seconds=time.monotonic() - began,
            answer=answer,
            files=len(batch),
            http_status=200 if error is None else error.http_status,
            code=None if error is None else error.code,
            message=None if error is None else str(error),
            request_id=request_id if error is None else error.request_id,
            carried=() if error is None else tuple(entry.result_id for entry in batch.entries),
        )
        self._store.record_call(self._run_id, self._token, call, settlements)


def _answer(error: RegisterError) -> str:
    if isinstance(error, Throttled):
        return "throttled"
    if isinstance(error, Transient | TokenExpired):
        return "transient"
    if isinstance(error, AccountStopped):
        return "stopped"
    return "refused"


class _HeldBack(Exception):
    """The breaker opened while a call waited for its pace: nothing was sent, and it waits again."""


class Limited:
    """Waits for the account's next send time; a throttled answer slows the whole account down."""

    def __init__(self, inner: Registrar, pace: AccountPace, breaker: Breaker) -> None:
        self._inner = inner
        self._pace = pace
        self._breaker = breaker

    def register(self, batch: Batch) -> Reply:
        """Waits, then sends what the breaker around it still lets through: the account is booked two seconds ahead."""
        self._pace.wait()
        if not self._breaker.admits_still():
            raise _HeldBack
        try:
            return self._inner.register(batch)
        except Throttled as error:
            self._pace.throttled(retry_after=error.retry_after)
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
            except _HeldBack:
                continue
            except Transient as error:
                self._breaker.failed(error)
                raise
            except RegisterError:
                self._breaker.answered()
                raise
            self._breaker.answered()
            return reply


class Retried:
    """Tries again what may go away by itself, with full jitter, until it does or the worker stops.

    Unreadable answers to one batch alone, while others are answered, are taken as a refusal of that batch: a request that
    a gateway turns down (too long a URL, say) would otherwise come back for ever. Where no other call is there to be
    answered, a batch is split after some more of them, which costs calls but fails nothing.
    """

    def __init__(self, inner: Registrar, *, clock: Clock, breaker: Breaker) -> None:
        self._inner = inner
        self._clock = clock
        self._breaker = breaker

    def register(self, batch: Batch) -> Reply:
        """Sends, as often as it takes."""
        began, broken = self._clock.now(), 0
        retrying = Retrying(
            retry=retry_if_exception(_may_go_away),
            wait=wait_random_exponential(multiplier=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS),
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


class Split:
    """Halves a refused batch until the offending entries stand alone: at most 8 extra calls for one in ten."""

    def __init__(
        self,
        inner: Registrar,
        *,
        fail: Callable[[Sequence[Settlement]], None],
        proven: Callable[[], bool],
        probe: Callable[[Registrar], bool],
    ) -> None:
        """fail: records entries that were refused standing alone; proven: whether any call of the run succeeded.

        probe: sends a few files from elsewhere in the backlog and says whether one was accepted.
        """
        self._inner = inner
        self._probe = probe
        self._fail = fail
        self._proven = proven

    def register(self, batch: Batch) -> Reply:
        """Sends a batch and isolates what poisons it.

        Raises:
            AllRefused: every entry was refused with one code, no call of this run has succeeded, and files from elsewhere
                in the backlog fare no better.
        """
        alone: list[tuple[Entry, RequestRefused]] = []
        outcomes = self._send(batch, alone)
        if alone:
            codes = {refusal.code for _, refusal in alone}
            if len(alone) == len(batch) and len(codes) == 1 and not self._proven() and not self._probe(self._inner):
                code = codes.pop()
                raise AllRefused(
                    f"VOD refuses every single file with {code}, so the fault is in the settings and not in the files: "
                    f"{alone[0][1]}. Nothing was marked as failed; correct the migration file and run it again",
                    code="all_refused",
                )
            self._fail([_alone(entry, refusal) for entry, refusal in alone])
        return Reply(request_id=None, outcomes=tuple(outcomes))

    def _send(self, batch: Batch, alone: list[tuple[Entry, RequestRefused]]) -> list[Outcome]:
        try:
            return list(self._inner.register(batch).outcomes)
        except RequestRefused as refusal:
            if len(batch) == 1:
                entry = batch.entries[0]
                alone.append((entry, refusal))
                return [
                    Outcome(result_id=entry.result_id, verdict=Verdict.FAILED, code=refusal.code, message=str(refusal))
                ]
        first, second = batch.split()
        return self._send(first, alone) + self._send(second, alone)


def _alone(entry: Entry, refusal: RequestRefused) -> Settlement:
    return Settlement(
        result_id=entry.result_id,
        outcome="failed",
        state="failed",
        code=refusal.code,
        message=str(refusal),
        request_id=refusal.request_id,
    )
