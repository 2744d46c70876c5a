"""Everything about one object: its fact, its description, and what happened to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vod_migrate.report.browse.access import QUERIES, Readable, reading
from vod_migrate.report.browse.objects import ObjectLine
from vod_migrate.report.diagnosis import RULED_OUT, Diagnosis, diagnose, gives_no_reason
from vod_migrate.results.store import Store

_MOST_EVENTS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectEvent:
    """Something that happened to the object. outcome, code, message: what it meant for this object, None where a call said nothing about it.

    run_id, dag_id, dag_run_id: None for what happened between runs. answer and the rest: of the call; None where there was none.
    """

    run_id: str | None
    dag_id: str | None
    dag_run_id: str | None
    at: dt.datetime
    outcome: str | None
    code: str | None
    message: str | None
    answer: str | None
    http_status: int | None
    call_code: str | None
    call_message: str | None
    request_id: str | None
    seconds: float | None
    files: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectHistory:
    """One object. run_id: the run that settled it; region: of the bucket; description: the RegisterMetadata as it was sent; attributes: its manifest's columns.

    cause, certain, evidence, ruled_out: what a look at the failed object told; cause: None where nobody looked, '' where nothing was found.
    attempts, no_answers, unsure, queued: of the work that is still to be done; retries: runs of mode new that tried it again. events: the
    newest first, at most 200; older: whether there are more. hidden: how many belong to runs that the reader may not see.
    """

    line: ObjectLine
    run_id: str | None
    region: str | None
    etag: str | None
    last_modified: dt.datetime | None
    storage_class: str | None
    new_register: bool | None
    message: str | None
    request_id: str | None
    cause: str | None
    certain: bool
    evidence: str | None
    ruled_out: tuple[str, ...]
    description: Mapping[str, Any]
    attributes: Mapping[str, Any]
    attempts: int
    no_answers: int
    retries: int
    unsure: bool
    queued: bool
    registered: dt.datetime | None
    events: tuple[ObjectEvent, ...]
    older: bool
    hidden: int

    @property
    def unexamined(self) -> bool:
        """Whether it failed, its code does not say why, and nobody looked."""
        return self.line.state == "failed" and self.cause is None and gives_no_reason(self.line.code or "")

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What its cause, or else its code, means and what to do; None for an object that has not failed."""
        code = self.cause or self.line.code or "no_code"
        return diagnose(code, ruled_out=self.ruled_out) if self.line.state == "failed" else None

    @property
    def not_due_to(self) -> list[str]:
        """What was ruled out, in words."""
        return [RULED_OUT[cause] for cause in self.ruled_out]


def object_history(store: Store, account: str, bucket: str, key: str, *, readable: Readable) -> ObjectHistory | None:
    """One object; None where there is none or its reader may not see it."""
    with reading(store, readable) as reader:
        row = next(iter(reader.rows(QUERIES.object_facts, account=account, bucket=bucket, key=key)), None)
        if row is None:
            return None
        source_id = row.pop("source_id")
        events = reader.rows(QUERIES.object_events, source_id=source_id, key=key, most=_MOST_EVENTS + 1)
    line = ObjectLine(**{name: row.pop(name) for name in ObjectLine.__slots__})
    seen = [event.pop("seen") for event in events[:_MOST_EVENTS]]
    return ObjectHistory(
        line=line,
        **{**row, "ruled_out": tuple(row["ruled_out"] or ())},
        events=tuple(ObjectEvent(**event) for event, shown in zip(events, seen, strict=False) if shown),
        older=len(events) > _MOST_EVENTS,
        hidden=seen.count(False),
    )
