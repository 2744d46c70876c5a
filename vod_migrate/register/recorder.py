"""What an outcome does to a result, and the wrapper that records every call."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Sequence

from vod_migrate.describe.metadata import metadata
from vod_migrate.errors import AccountStopped, RegisterError, RequestRefused, Throttled, TokenExpired, Transient
from vod_migrate.media import Batch, Entry, Outcome, Rejected, Reply, Verdict
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.reply import TRIED_ALONE
from vod_migrate.results.work import CallRecord, Settlement, Work

MOST_NO_ANSWERS = 5
"""Replies without a word about an object before it counts as failed."""


def settle(entry: Entry, outcome: Outcome) -> Settlement:
    """What an outcome does to its result.

    A file that was refused, or that only a reply about it alone can clear up, is tried once more, alone. A file that five
    replies do not name has failed.
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


def settle_refused(entry: Entry, refusal: RequestRefused) -> Settlement:
    """What it does to a file that its call was refused although it was alone."""
    return Settlement(
        result_id=entry.result_id,
        outcome="failed",
        state="failed",
        code=refusal.code,
        message=str(refusal),
        request_id=refusal.request_id,
    )


def settle_rejected(work: Work, rejected: Rejected) -> Settlement:
    """What it does to an object that it cannot be described."""
    return Settlement(
        result_id=work.result_id,
        outcome="failed",
        state="failed",
        code=rejected.code,
        message=rejected.message,
    )


class Recorded:
    """Writes each call's audit row, and with it what the call meant, in one commit."""

    def __init__(self, inner: Registrar, context: WorkerContext) -> None:
        self._inner = inner
        self._context = context

    def register(self, batch: Batch) -> Reply:
        """Sends and records."""
        started, began = dt.datetime.now(dt.UTC), time.monotonic()
        try:
            reply = self._inner.register(batch)
        except RegisterError as error:
            self._record(batch, started, began, answer=_answer(error), error=error)
            if isinstance(error, Transient):
                self._context.store.mark_unsure(self._context.token, [entry.result_id for entry in batch.entries])
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
            worker=self._context.name,
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
        self._context.store.record_call(self._context.run.run_id, self._context.token, call, settlements)


def _answer(error: RegisterError) -> str:
    if isinstance(error, Throttled):
        return "throttled"
    if isinstance(error, Transient | TokenExpired):
        return "transient"
    if isinstance(error, AccountStopped):
        return "stopped"
    return "refused"
