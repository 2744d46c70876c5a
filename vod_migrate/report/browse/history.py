"""Everything about one object: its facts, its description, and every call that carried it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from vod_migrate.report.browse.access import QUERIES, Readable, filters, read_only
from vod_migrate.report.browse.objects import ObjectLine
from vod_migrate.report.diagnosis import Diagnosis, diagnose
from vod_migrate.results.store import Store

_MOST_CALLS = 200
_LINE_COLUMNS = len(ObjectLine.__slots__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectCall:
    """Something that happened to the object. outcome and code: what it meant for this object, None where the call had no word about it.

    answer, http_status, call_code, message, request_id, seconds, files, worker: of the call; all None where there was none.
    """

    run_id: str
    dag_id: str | None
    dag_run_id: str | None
    at: dt.datetime
    outcome: str | None
    code: str | None
    answer: str | None
    http_status: int | None
    call_code: str | None
    message: str | None
    request_id: str | None
    seconds: float | None
    files: int | None
    worker: str | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the query object_calls, without its first column."""
        return cls(**dict(zip(cls.__slots__, row, strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectHistory:
    """One object. description: the RegisterMetadata as it was sent; attributes: its manifest's columns.

    calls: the newest first, at most 200; older: whether there are more. hidden: how many belong to runs that the reader may not see.
    """

    line: ObjectLine
    etag: str | None
    last_modified: dt.datetime | None
    storage_class: str | None
    state_before_gone: str | None
    new_register: bool | None
    message: str | None
    request_id: str | None
    description: Mapping[str, Any]
    attributes: Mapping[str, Any]
    attempts: int
    no_answers: int
    nights: int
    alone: bool
    unsure: bool
    discovered: dt.datetime
    registered: dt.datetime | None
    dag_ids: tuple[str, ...]
    calls: tuple[ObjectCall, ...]
    older: bool
    hidden: int

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What its code means and what to do; None for an object that has not failed."""
        return diagnose(self.line.code or "no_code") if self.line.state == "failed" else None


def object_history(store: Store, result_id: int, *, readable: Readable) -> ObjectHistory | None:
    """One object by the id of its result; None where there is none or its reader may not see it."""
    if not 0 <= result_id < 2**63:
        return None
    with read_only(store) as connection:
        row = QUERIES.object_facts(connection, result_id=result_id, **filters(readable))
        if row is None:
            return None
        told = list(QUERIES.object_calls(connection, result_id=result_id, most=_MOST_CALLS + 1, **filters(readable)))
    rest = row[_LINE_COLUMNS:]
    return ObjectHistory(
        line=ObjectLine.from_row(row[:_LINE_COLUMNS]),
        etag=rest[0],
        last_modified=rest[1],
        storage_class=rest[2],
        state_before_gone=rest[3],
        new_register=rest[4],
        message=rest[5],
        request_id=rest[6],
        description=rest[7] or {},
        attributes=rest[8] or {},
        attempts=rest[9],
        no_answers=rest[10],
        nights=rest[11],
        alone=rest[12],
        unsure=rest[13],
        discovered=rest[14],
        registered=rest[15],
        dag_ids=tuple(rest[16] or ()),
        calls=tuple(ObjectCall.from_row(call[1:]) for call in told[:_MOST_CALLS] if call[0]),
        older=len(told) > _MOST_CALLS,
        hidden=sum(1 for call in told[:_MOST_CALLS] if not call[0]),
    )
