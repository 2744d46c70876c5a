"""Sends only what the worker still holds.

A lease that lapsed unnoticed may have given a worker's objects to another worker while they waited in its queue. Sending them
twice is harmless, but wastes calls. One lookup by primary key before each call prevents it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from typing import Protocol

from vod_migrate.media import Batch, Outcome, Reply, Verdict
from vod_migrate.register.registrar import Registrar

log = logging.getLogger(__name__)


class Holdings(Protocol):
    """The part of the results store that knows who holds what."""

    def still_held(self, token: uuid.UUID, result_ids: Sequence[int]) -> set[int]:
        """Those of the results that are pending and held under the token.

        Raises:
            StoreUnreachable
        """
        ...


class Fenced:
    """Leaves out of a batch what another worker holds now; its outcome here is unknown, and for that worker to record."""

    def __init__(self, inner: Registrar, *, holdings: Holdings, token: uuid.UUID) -> None:
        self._inner = inner
        self._holdings = holdings
        self._token = token

    def register(self, batch: Batch) -> Reply:
        """Sends what is held, or nothing at all."""
        held = self._holdings.still_held(self._token, [entry.result_id for entry in batch.entries])
        kept = tuple(entry for entry in batch.entries if entry.result_id in held)
        if len(kept) == len(batch):
            return self._inner.register(batch)
        lost = [
            Outcome(
                result_id=entry.result_id,
                verdict=Verdict.UNKNOWN,
                code="not_held",
                message="another worker holds this file now",
            )
            for entry in batch.entries
            if entry.result_id not in held
        ]
        log.info("%d of %d files of a call are held by another worker now", len(lost), len(batch))
        if not kept:
            return Reply(request_id=None, outcomes=tuple(lost))
        reply = self._inner.register(Batch(storage_address=batch.storage_address, entries=kept))
        return Reply(request_id=reply.request_id, outcomes=(*reply.outcomes, *lost))
