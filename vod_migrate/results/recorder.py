"""What a call meant for its objects, recorded in one commit with the call."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, storable
from vod_migrate.results.work import CallRecord, Place, Settlement

MOST_TOGETHER = 100
"""Calls in one commit at most: a second of them at twice the full quota."""


def new_call_id() -> int:
    """A number for a call: random, so that no worker needs to ask for it, and no failover gives one twice."""
    return secrets.randbits(63)


class RecorderQueries(Session):
    """What may be recorded."""

    def record(
        self, run: Run, place: Place, calls: Sequence[CallRecord], settlements: Sequence[Settlement] = ()
    ) -> int:
        """Calls and what they meant for each object, in one commit. Returns how many objects it settled or gave back (others: late).

        A settlement with the number of one of these calls counts only if the call was not recorded before.
        """
        # As two texts: one array for each field cost the worker more than all else that it records.
        told: dict[str, Any] = {
            "calls": json.dumps([_fields(one) for one in calls], ensure_ascii=False, default=dt.datetime.isoformat),
            "settlements": json.dumps([_fields(one) for one in settlements], ensure_ascii=False),
        }
        row = self._ask(
            QUERIES.record,
            **run.numbers,
            worker_no=place.worker_no,
            token=place.token,
            again=run.mode.value == "new",
            **told,
            pool=self._rate_pool,  # one statement, so it needs no round trips to begin and to commit
        )
        return int(row["settled"]) + int(row["moved"])

    def settle_alone(self, run: Run) -> int:
        """A run stopped by its threshold: what was refused once is failed. Returns how many objects."""
        return int(self._ask(QUERIES.settle_alone, **run.numbers))

    @contextmanager
    def category_lock(self, account: str, path: str) -> Iterator[None]:
        """While this is held nobody else of the account makes the category of that path."""
        with self.connection() as connection:
            QUERIES.hold_category(connection, account=account, path=path)
            yield


def _fields(record: CallRecord | Settlement) -> dict[str, object]:
    """A record as the query takes it."""
    fields = ((name, getattr(record, name)) for name in record.__slots__)
    return {name: storable(value) if isinstance(value, str) else value for name, value in fields}


@dataclass(kw_only=True, slots=True, eq=False)
class _Waiting:
    """What one thread wants recorded. done: True when it is; False: it is this thread's turn to record for all who wait."""

    call: CallRecord | None
    settlements: Sequence[Settlement]
    done: Future[bool] = field(default_factory=Future)


class Recorder:
    """Records for the threads of one worker: whoever comes while a commit is under way shares the next one."""

    def __init__(self, store: RecorderQueries, run: Run, place: Place) -> None:
        self._store = store
        self._run = run
        self._place = place
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: list[_Waiting] = []

    def record(self, call: CallRecord | None, settlements: Sequence[Settlement] = ()) -> None:
        """Returns when a call, and what it meant, is committed. None: settlements without a call of their own.

        Raises:
            StoreUnreachable
        """
        mine = _Waiting(call=call, settlements=settlements)
        with self._lock:
            self._waiting.append(mine)
            leads, self._busy = not self._busy, True
        if leads or not mine.done.result():
            self._commit(mine)

    def _commit(self, mine: _Waiting) -> None:
        with self._lock:
            together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        calls = [one.call for one in together if one.call is not None]
        others = [one for one in together if one is not mine]
        try:
            self._store.record(self._run, self._place, calls, [told for one in together for told in one.settlements])
        except BaseException as error:
            for one in others:
                one.done.set_exception(error)
            raise
        else:
            for one in others:
                one.done.set_result(True)
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].done.set_result(False)
