"""What a reconciliation puts right in the results: one transaction for some objects, and only where they still are as they were read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vod_migrate.media import MediaObject
from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, StoreConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class FactRead:
    """A fact as it was when it was read: one that was settled since is left alone."""

    key: str
    settled_at: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMedia:
    """A media of VOD and its object, as OSS lists that now."""

    object: MediaObject
    media_id: str


class Repairs(Session):
    """Changes facts without a call; the run under which it happens says when and why. Each returns how many it changed."""

    def mark_facts(self, run: Run, facts: Sequence[FactRead], *, gone: bool) -> int:
        """Registered objects that OSS no longer lists, or those that were gone and are listed again."""
        return self._repair(QUERIES.mark_facts, run, **_as_read(facts), gone=gone)

    def forget_facts(self, run: Run, facts: Sequence[FactRead]) -> int:
        """Objects that a run may take as new; their history stays."""
        return self._repair(QUERIES.forget_facts, run, **_as_read(facts))

    def import_media(self, run: Run, found: Sequence[FoundMedia]) -> int:
        """Objects whose media VOD has: they become registered, as if the run had found them so."""
        objects = [one.object for one in found]
        return self._repair(
            QUERIES.import_media,
            run,
            keys=[one.key for one in objects],
            media_ids=[one.media_id for one in found],
            sizes=[one.size for one in objects],
            etags=[one.etag for one in objects],
            modified=[one.last_modified for one in objects],
            classes=[one.storage_class for one in objects],
        )

    def _repair(self, query: Any, run: Run, *, keys: list[str], **values: Any) -> int:
        def work(connection: StoreConnection) -> int:
            QUERIES.doubt_source(connection, source_id=run.source_id)
            changed = int(query(connection, **run.numbers, keys=keys, **values))
            QUERIES.renew_waiting(connection, source_id=run.source_id, keys=keys)
            return changed

        return self._do(work)


def _as_read(facts: Sequence[FactRead]) -> dict[str, Any]:
    return {"keys": [fact.key for fact in facts], "settled": [fact.settled_at for fact in facts]}
