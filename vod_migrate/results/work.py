"""Who is alive, what it has claimed, and what it records, as value objects."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from vod_migrate.media import MediaObject

SETTLED = ("registered", "already_registered", "failed")
"""Outcomes that end the work on an object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A worker's place in a run: what it holds, it holds under this token, as long as it renews its lease."""

    token: uuid.UUID
    slot: str
    worker_no: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """An object of a run's queue, and how often it was answered about before."""

    block_id: int
    object: MediaObject
    attempts: int = 0
    no_answers: int = 0

    @property
    def key(self) -> str:
        """What names it within its run."""
        return self.object.key

    @classmethod
    def from_row(cls, row: Mapping[str, Any], *, bucket: str) -> Self:
        """From the query work_of_blocks."""
        return cls(
            block_id=row["block_id"],
            object=object_of(row, bucket=bucket),
            attempts=row["attempts"],
            no_answers=row["no_answers"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """What a worker has claimed. blocks: all that it holds now; limited: there is more, but the run may take no further objects."""

    works: tuple[Work, ...] = ()
    blocks: tuple[int, ...] = ()
    limited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkLeft:
    """What keeps a run open: scans that are not closed, objects to send, objects to be tried once more, alone.

    taken: some of the objects to send are counted for the run's `pause_after` already.
    """

    open_scans: int
    waiting: bool
    taken: bool
    alone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRecord:
    """The audit row of one call. answer: ok, throttled, refused, transient or stopped.

    carried: the keys it carried, where the answer had no outcome for each of them.
    """

    call_id: int
    started_at: dt.datetime
    seconds: float
    answer: str
    files: int
    http_status: int | None = None
    code: str | None = None
    message: str | None = None
    request_id: str | None = None
    carried: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What an answer does to an object.

    outcome: registered, already_registered or failed end its work and become its fact; retry: it was refused once, and is tried once
    more, alone, at the end; unknown: the answer said nothing about it, so anybody sends it again; unsure: its call failed on the way, and the
    worker keeps it. sent: its description as it was sent; call_id: the call that was answered so; None where there was none.
    """

    key: str
    outcome: str
    media_id: str | None = None
    code: str | None = None
    message: str | None = None
    sent: Mapping[str, Any] | None = None
    call_id: int | None = None


def object_of(row: Mapping[str, Any], *, bucket: str) -> MediaObject:
    """The object that a row of work is about."""
    return MediaObject(
        bucket=bucket,
        key=row["key"],
        size=row["size"],
        etag=row["etag"],
        last_modified=row["last_modified"],
        storage_class=row["storage_class"],
        row=row["attributes"] or {},
        same_as=row.get("same_as") or "",
    )
