"""Claimed work, and what is recorded of a call, as value objects."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from vod_migrate.media import MediaObject


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A claimed result: the object, and how often it was answered about before."""

    result_id: int
    object: MediaObject
    attempts: int = 0
    no_answers: int = 0

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the query claim_results."""
        found = MediaObject(
            bucket=row[1],
            key=row[2],
            size=row[3],
            etag=row[4],
            last_modified=row[5],
            storage_class=row[6],
            row=row[9] or {},
        )
        return cls(result_id=row[0], object=found, attempts=row[7], no_answers=row[8])


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a run's `pause_after` still allows. call: whether one more call; objects: counted for it now; known: sent in this run before."""

    call: bool
    objects: tuple[int, ...]
    known: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """The audit row of one call. answer: ok, throttled, refused, transient or stopped.

    carried: the results it carried, where the answer had no outcome for each of them.
    """

    call_id: uuid.UUID
    worker: str
    started_at: dt.datetime
    seconds: float
    answer: str
    files: int
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    carried: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What an outcome does to a result: outcome is what the run counts, state what the result becomes."""

    result_id: int
    outcome: str
    state: str
    media_id: str | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    description: Mapping[str, Any] | None = None
