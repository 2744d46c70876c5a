"""Claims: who is alive, what a worker holds, and how it lets go."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, StoreConnection
from vod_migrate.results.work import Claimed, Place, Work, WorkLeft

DISCOVER = "discover"
"""The role of the one who lists a run's source."""
CANARY = "canary"
"""The role of the one who sends a run's first files."""
BETWEEN_TASKS = "prepare"
"""The slot of the first lease: it lasts until the first worker has begun."""
ROLES = frozenset({DISCOVER, CANARY, BETWEEN_TASKS})
"""Places in a run that are no worker's own."""
_BLOCKS_AT_ONCE = 50


class Claims(Session):
    """What may happen to a worker and to what it holds."""

    def take_place(self, run: Run, *, slot: str, host: str) -> Place:
        """A worker enters the run and frees what a predecessor in the same slot still held. host: for people."""
        token = uuid.uuid4()

        def work(connection: StoreConnection) -> Place:
            row = QUERIES.take_place(connection, run_no=run.run_no, slot=slot, token=token, host=host, lease=self.lease)
            if row["displaced"] is not None:
                QUERIES.release_displaced(connection, token=row["displaced"])
            return Place(token=token, slot=slot, worker_no=row["worker_no"])

        return self._do(work)

    def take_role(self, run: Run, place: Place, role: str) -> bool:
        """Takes a role in the run beside the worker's own place, where nobody else holds it."""
        taken = self._ask(
            QUERIES.take_role,
            run_no=run.run_no,
            role=role,
            worker_no=place.worker_no,
            token=place.token,
            lease=self.lease,
        )
        return taken is not None

    def drop_role(self, run: Run, place: Place, role: str) -> None:
        """Gives a role back."""
        self._ask(QUERIES.drop_role, run_no=run.run_no, role=role, token=place.token)

    def renew(self, place: Place) -> bool:
        """Renews a worker's lease, and its roles; False when somebody took its place."""
        return bool(self._ask(QUERIES.renew, token=place.token, slot=place.slot, lease=self.lease))

    def leave(self, run: Run, place: Place, *, in_flight: Sequence[str] = (), patience: float | None = None) -> None:
        """Lets go of everything a worker holds; in_flight: the keys whose call is under way, so their outcome is not known.

        patience: seconds to wait for a database that is away; None: as long as for anything else.
        """
        self._ask(QUERIES.leave, token=place.token, **run.numbers, in_flight=list(in_flight), patience=patience)

    def release(self, place: Place, block_ids: Collection[int]) -> None:
        """Gives some blocks back unsent."""
        self._ask(QUERIES.release_blocks, token=place.token, block_ids=list(block_ids))

    def claim(
        self,
        run: Run,
        place: Place,
        *,
        most: int = 500,
        known: Collection[int] = (),
        alone: bool = False,
        last: bool = False,
        max_objects: int | None = None,
    ) -> Claimed:
        """Blocks of about `most` objects in all, held until they are recorded, released, or the lease runs out.

        known: the blocks that the caller knows it holds (`Claimed.blocks`). alone: those that are to be tried by themselves; last: from the
        far end of the backlog. max_objects: how many objects the run may take in all; an object counts once.
        """

        def work(connection: StoreConnection) -> Claimed:
            wanted, total = [], 0
            for row in QUERIES.free_blocks(
                connection,
                queue_no=run.queue_no,
                alone=alone,
                last=last,
                token=place.token,
                known=list(known),
                most=_BLOCKS_AT_ONCE,
            ):
                if total >= most:
                    break
                wanted.append(row)
                total += row["objects"]
            limited = False
            if wanted and max_objects is not None:
                wanted, limited = self._within(connection, run, wanted, max_objects)
            if not wanted:
                return Claimed(limited=limited, blocks=tuple(known))
            ids = [row["block_id"] for row in wanted]
            QUERIES.hold_blocks(connection, token=place.token, run_no=run.run_no, block_ids=ids)
            works = QUERIES.work_of_blocks(connection, block_ids=ids)
            held = QUERIES.blocks_held(connection, token=place.token)
            return Claimed(
                works=tuple(Work.from_row(row, bucket=run.bucket) for row in works),
                blocks=tuple(row["block_id"] for row in held),
                limited=limited,
            )

        claimed = self._do(work)
        if not claimed.works and claimed.blocks and not claimed.limited and set(claimed.blocks) - set(known):
            # Only blocks that a worker emptied before it died: they go with the next claim.
            return self.claim(
                run, place, most=most, known=claimed.blocks, alone=alone, last=last, max_objects=max_objects
            )
        return claimed

    def _within(
        self, connection: StoreConnection, run: Run, wanted: list[dict[str, int]], max_objects: int
    ) -> tuple[list[dict[str, int]], bool]:
        """The blocks that the run may still take, the last one cut to fit; whether any was too many."""
        room = max_objects - int(QUERIES.taken_objects(connection, run_no=run.run_no))
        kept, taken = [], 0
        limited = False
        for block in wanted:
            fresh = 0 if block["taken_by"] == run.run_no else block["objects"]
            fits = min(fresh, room - taken)
            limited |= fits < fresh
            if fresh and fits <= 0:
                continue
            if fits < fresh:
                QUERIES.cut_block(connection, block_id=block["block_id"], too_many=fresh - fits)
            kept.append(block)
            taken += fits
        if taken:
            QUERIES.note_taken(connection, run_no=run.run_no, objects=taken)
        return kept, limited

    def still_held(self, run: Run, place: Place, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are to be sent and held by the worker."""
        rows = self._ask(QUERIES.still_held, **run.numbers, keys=list(keys), token=place.token)
        return {row["key"] for row in rows}

    def work_left(self, run: Run) -> WorkLeft:
        """What keeps the run open."""
        return WorkLeft(**self._ask(QUERIES.work_left, run_no=run.run_no, queue_no=run.queue_no))

    def take_call(self, run: Run, *, most: int) -> bool:
        """Counts one more call of the run, where it may make one."""
        return self._ask(QUERIES.take_call, run_no=run.run_no, most=most) is not None
