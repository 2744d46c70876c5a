"""What an outcome does to an object, and the wrapper that records every call."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import Any

from vod_migrate.describe.metadata import fields_of
from vod_migrate.errors import AccountStopped, RegisterError, RequestRefused, Throttled, TokenExpired, Transient
from vod_migrate.media import Batch, Entry, Outcome, Rejected, Reply, Verdict
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.reply import TRIED_ALONE
from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.work import CallRecord, Settlement, Work

MOST_NO_ANSWERS = 5
"""Replies without a word about an object before it counts as failed."""


def settle(entry: Entry, outcome: Outcome, call_id: int | None = None) -> Settlement:
    """What an outcome does to its object.

    A file that was refused, or that only a reply about it alone can clear up, is tried once more, alone. A file that five
    replies do not name has failed.
    """
    code, message = outcome.code, outcome.message
    if outcome.verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED):
        result = outcome.verdict.value
    elif outcome.verdict is Verdict.FAILED or outcome.code in TRIED_ALONE:
        result = "failed" if entry.attempts else "retry"
    elif entry.no_answers + 1 >= MOST_NO_ANSWERS:
        result, code = "failed", "no_answer"
        message = f"{MOST_NO_ANSWERS} replies gave no clear answer about this file; the last: {outcome.message}"
    else:
        result = "unknown"
    return Settlement(
        key=entry.key,
        outcome=result,
        media_id=outcome.media_id,
        code=code,
        message=message,
        sent=None if result == "unknown" else fields_of(entry.description),
        call_id=call_id,
    )


def settle_refused(entry: Entry, refusal: RequestRefused) -> Settlement:
    """What it does to an object that its call was refused although the object was alone in it."""
    return Settlement(
        key=entry.key,
        outcome="failed",
        code=refusal.code,
        message=str(refusal),
        sent=fields_of(entry.description),
        call_id=refusal.call_id,
    )


def settle_rejected(work: Work, rejected: Rejected) -> Settlement:
    """What it does to an object that it cannot be described."""
    return Settlement(key=work.key, outcome="failed", code=rejected.code, message=rejected.message)


class Recorded:
    """Records each call, and with it what the call meant, in one commit."""

    def __init__(
        self, inner: Registrar, context: WorkerContext, *, accepted: Callable[[Batch, dt.datetime], None]
    ) -> None:
        """accepted: is called with each batch that VOD accepted, and with when its call began."""
        self._inner = inner
        self._ledger = context.ledger
        self._accepted = accepted

    def register(self, batch: Batch) -> Reply:
        """Sends and records."""
        call_id = new_call_id()
        started, began = dt.datetime.now(dt.UTC), time.monotonic()

        def call(answer: str, **told: Any) -> CallRecord:
            seconds = time.monotonic() - began
            return CallRecord(
                call_id=call_id, started_at=started, seconds=seconds, answer=answer, files=len(batch), **told
            )

        try:
            reply = self._inner.register(batch)
        except RegisterError as error:
            error.call_id = call_id
            failed = call(
                _answer(error),
                http_status=error.http_status,
                code=error.code,
                message=str(error),
                request_id=error.request_id,
                carried=tuple(entry.key for entry in batch.entries),
            )
            self._ledger.record(failed, _unsure(batch, call_id) if isinstance(error, Transient) else ())
            raise
        answered = call("ok", http_status=200, request_id=reply.request_id)
        self._accepted(batch, started)
        entries = {entry.key: entry for entry in batch.entries}
        self._ledger.record(answered, [settle(entries[outcome.key], outcome, call_id) for outcome in reply.outcomes])
        return reply


def _unsure(batch: Batch, call_id: int) -> Sequence[Settlement]:
    return [Settlement(key=entry.key, outcome="unsure", call_id=call_id) for entry in batch.entries]


def _answer(error: RegisterError) -> str:
    if isinstance(error, Throttled):
        return "throttled"
    if isinstance(error, Transient | TokenExpired):
        return "transient"
    if isinstance(error, AccountStopped):
        return "stopped"
    return "refused"
