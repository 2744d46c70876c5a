"""What an outcome does to a result, and the wrapper that records every call."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Sequence

from vod_migrate.describe.metadata import metadata
from vod_migrate.errors import AccountStopped, RegisterError, RequestRefused, Throttled, TokenExpired, Transient
from vod_migrate.media import Batch, Entry, Outcome, Reply, Verdict
from vod_migrate.register.registrar import Registrar
from vod_migrate.register.reply import TRIED_ALONE
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Settlement

MOST_NO_ANSWERS = 5
"""Replies without a word about an object before it counts as failed."""


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


def _alone(entry: Entry, refusal: RequestRefused) -> Settlement:
    return Settlement(
        result_id=entry.result_id,
        outcome="failed",
        state="failed",
        code=refusal.code,
        message=str(refusal),
        request_id=refusal.request_id,
    )
