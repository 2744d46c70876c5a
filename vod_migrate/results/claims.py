"""Claims: what a worker holds, for how long, and how it lets go."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from vod_migrate.results.session import QUERIES, Session
from vod_migrate.results.work import Work

LEASE_SECONDS = 90.0
"""How long a claim holds without being renewed; renewed every third of it."""


class Claims(Session):
    """What may happen to a worker and to what it holds."""

    def take_place(self, run_id: str, *, slot: str, worker: str) -> uuid.UUID:
        """A worker enters the run and frees what a predecessor in the same slot still held. Returns its token."""
        token = uuid.uuid4()

        def work(connection: psycopg.Connection) -> None:
            QUERIES.insert_claim(connection, token=token, run_id=run_id, slot=slot, worker=worker, lease=LEASE_SECONDS)
            QUERIES.release_slot(connection, run_id=run_id, slot=slot, token=token)
            QUERIES.forget_old_claims(connection)

        self._do(work)
        return token

    def renew(self, token: uuid.UUID) -> bool:
        """Renews a claim's lease; False when somebody took the worker's place."""
        return self._do(lambda c: QUERIES.renew_claim(c, token=token, lease=LEASE_SECONDS)) is not None

    def leave(self, token: uuid.UUID, *, in_flight: Sequence[int] = (), patience: float | None = None) -> None:
        """Lets go of everything a worker holds; what is in flight is marked as of unknown outcome.

        patience: seconds to wait for a database that is away; None: as long as for anything else.
        """
        self._do(lambda c: QUERIES.release_claim(c, token=token, in_flight=list(in_flight)), patience=patience)

    def release(self, token: uuid.UUID, result_ids: Sequence[int]) -> None:
        """Gives some results back unsent."""
        self._do(lambda c: QUERIES.release_results(c, token=token, result_ids=list(result_ids)))

    def claim(self, run_id: str, token: uuid.UUID, *, most: int, alone: bool = False) -> list[Work]:
        """Up to `most` pending results, held until recorded, released, or the lease runs out."""
        rows = self._do(lambda c: list(QUERIES.claim_results(c, run_id=run_id, token=token, most=most, alone=alone)))
        return sorted((Work.from_row(row) for row in rows), key=lambda work: work.result_id)

    def claim_last(self, run_id: str, token: uuid.UUID, *, most: int) -> list[Work]:
        """A few results from the far end of the backlog."""
        rows = self._do(lambda c: list(QUERIES.claim_last(c, run_id=run_id, token=token, most=most)))
        return [Work.from_row(row) for row in rows]

    def still_held(self, token: uuid.UUID, result_ids: Sequence[int]) -> set[int]:
        """Those of the results that are pending and held under the token."""
        rows = self._do(lambda c: list(QUERIES.still_held(c, token=token, result_ids=list(result_ids))))
        return {int(row[0]) for row in rows}

    def release_lost(self, token: uuid.UUID) -> int:
        """Gives back what is held under a token by a worker that knows of nothing it holds. Returns how many."""
        return int(self._do(lambda c: QUERIES.release_lost(c, token=token)))

    def work_left(self, run_id: str) -> tuple[int, bool, bool]:
        """(open scans, whether results are left to send, whether some are left to be tried alone)."""
        row = self._do(lambda c: QUERIES.work_left(c, run_id=run_id))
        return int(row[0]), bool(row[1]), bool(row[2])

    @contextmanager
    def canary_lock(self, run_id: str) -> Iterator[bool]:
        """Whether this worker may send the run's canary; True to one at a time."""
        with self._trying(f"canary:{run_id}") as held:
            yield held
