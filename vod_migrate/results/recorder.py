"""What a call meant for its objects, in one commit with the call."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg.types.json import Jsonb

from vod_migrate.results.session import QUERIES, Session, storable
from vod_migrate.results.work import CallRecord, Settlement, Taken, Work


class RecorderQueries(Session):
    """What may be recorded about results."""

    def record_call(
        self, run_id: str, token: uuid.UUID, call: CallRecord, settlements: Sequence[Settlement] = ()
    ) -> int:
        """A call and what it meant for each object, in one commit. Returns how many objects it settled (others: late)."""
        settled = self._do(
            lambda c: QUERIES.record_call(
                c,
                run_id=run_id,
                token=token,
                call_id=call.call_id,
                worker=call.worker,
                started_at=call.started_at,
                seconds=call.seconds,
                answer=call.answer,
                http_status=call.http_status,
                code=call.code,
                message=storable(call.message),
                request_id=storable(call.request_id),
                files=call.files,
                carried=list(call.carried) or None,
                result_ids=[s.result_id for s in settlements],
                outcomes=[s.outcome for s in settlements],
                states=[s.state for s in settlements],
                media_ids=[s.media_id for s in settlements],
                codes=[s.code for s in settlements],
                messages=[storable(s.message) for s in settlements],
                descriptions=[None if s.description is None else Jsonb(s.description) for s in settlements],
            )
        )
        return int(settled)

    def record_failures(self, run_id: str, token: uuid.UUID, failures: Sequence[Settlement]) -> None:
        """Objects that cannot be sent as they are, or that were refused standing alone."""
        self._do(
            lambda c: QUERIES.record_failures(
                c,
                run_id=run_id,
                token=token,
                result_ids=[failure.result_id for failure in failures],
                codes=[failure.code for failure in failures],
                messages=[storable(failure.message) for failure in failures],
                request_ids=[failure.request_id for failure in failures],
            )
        )

    def keep_brake(self, run_id: str) -> None:
        """A run with brakes begins to count."""
        self._do(lambda c: QUERIES.keep_brake(c, run_id=run_id))

    def take_brake(
        self, run_id: str, *, fresh: Sequence[int], others: int, max_calls: int | None, max_objects: int | None
    ) -> Taken:
        """Counts one more call of a run, and its objects, as far as its brakes allow. Repeated, it may count too many.

        fresh: results that the caller has not counted yet; others: how many it has. None: no such brake.
        """
        most = 2**62
        call, objects, known, _ = self._do(
            lambda c: QUERIES.take_brake(
                c,
                run_id=run_id,
                fresh=list(fresh),
                others=others,
                max_calls=most if max_calls is None else max_calls,
                max_objects=most if max_objects is None else max_objects,
            )
        )
        return Taken(call=bool(call), objects=tuple(objects), known=tuple(known))

    def mark_unsure(self, token: uuid.UUID, result_ids: Sequence[int]) -> None:
        """A call that failed on its way may have had an effect on these."""
        self._do(lambda c: QUERIES.mark_unsure(c, token=token, result_ids=list(result_ids)))

    def take_back(self, run_id: str, works: Sequence[Work], *, wrong: Sequence[int] = ()) -> None:
        """These are pending again as they were claimed, whatever was recorded since. wrong: whose media is another file's."""
        self._do(
            lambda c: QUERIES.take_back(
                c,
                run_id=run_id,
                result_ids=[work.result_id for work in works],
                attempts=[work.attempts for work in works],
                no_answers=[work.no_answers for work in works],
                wrong=list(wrong),
            )
        )

    def settle_alone(self, run_id: str) -> None:
        """A run stopped by its threshold: what was refused once is failed."""
        self._do(lambda c: QUERIES.settle_alone(c, run_id=run_id))

    @contextmanager
    def category_lock(self, account: str, path: str) -> Iterator[None]:
        """While this is held nobody else of the account makes the category of that path."""
        connection = self._locked(f"category:{account}/{path}", shared=False, wait=True)
        try:
            yield
        finally:
            if connection is not None:
                connection.close()
