"""The first objects of a migration, spread over its source: who sends them, and how far they are."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, StoreConnection
from vod_migrate.results.work import Place, Work


class FirstState(StrEnum):
    """How far the first objects are. Stored, so a value never changes its meaning.

    open: they are sent and looked at. asked: the rest waits for a person. failed: too many cannot be played. passed: they are like any other.
    """

    OPEN = "open"
    ASKED = "asked"
    FAILED = "failed"
    PASSED = "passed"


@dataclass(frozen=True, kw_only=True, slots=True)
class First:
    """What a run finds when it asks for the first objects of its migration.

    since: of those that are this run's business, what the migration has settled since then counts as its first objects; else None.
    """

    state: FirstState
    since: dt.datetime | None = None


class Firsts(Session):
    """What may happen to the first objects of a migration."""

    def take_first(self, run: Run, *, most: int) -> First:
        """Takes them on, where nobody else has; a migration that had settled so many objects before this run has passed.

        Resuming a run whose first objects wait for a person is that person's yes.
        """

        def work(connection: StoreConnection) -> First:
            row = QUERIES.first_of_migration(connection, migration_id=run.migration_id)
            if row is None:
                if QUERIES.facts_before(connection, migration_id=run.migration_id, run_no=run.run_no) >= most:
                    return First(state=FirstState.PASSED)
                begun = QUERIES.begin_first(connection, migration_id=run.migration_id, run_no=run.run_no)
                return First(state=FirstState.OPEN, since=begun)
            state = FirstState(row["state"])
            if state is FirstState.ASKED and run.options.resume is not None:
                QUERIES.close_first(connection, migration_id=run.migration_id, state=FirstState.PASSED.value)
                state = FirstState.PASSED
            if state in (FirstState.PASSED, FirstState.ASKED):
                return First(state=state)
            if row["held_by"] != run.run_no and row["held"]:
                return First(state=FirstState.OPEN)
            since = QUERIES.hold_first(connection, migration_id=run.migration_id, run_no=run.run_no)
            return First(state=FirstState.OPEN, since=since)

        return self._do(work)

    def first_is_ahead(self, run: Run, *, most: int) -> bool:
        """Whether a run of the migration would begin, or go on, with its first objects."""
        return bool(self._ask(QUERIES.first_is_ahead, migration_id=run.migration_id, most=most))

    def close_first(self, run: Run, state: FirstState) -> None:
        """They were looked at."""
        self._ask(QUERIES.close_first, migration_id=run.migration_id, state=state.value)

    def first_sent(self, run: Run) -> dt.datetime:
        """All of them have been sent; when that was."""
        sent: dt.datetime = self._ask(QUERIES.first_sent, migration_id=run.migration_id)
        return sent

    def settled_since(self, run: Run, since: dt.datetime) -> tuple[int, int]:
        """(objects that the migration has settled since a moment, those of them that failed)."""
        row = self._ask(QUERIES.settled_since, migration_id=run.migration_id, since=since)
        return row["settled"], row["failed"]

    def claim_spread(self, run: Run, place: Place, *, most: int, max_objects: int | None) -> list[Work]:
        """Claims at most so many objects, spread over the run's queue; what the worker held before is among them.

        max_objects: how many objects the run may take in all.
        """

        def work(connection: StoreConnection) -> list[Work]:
            QUERIES.free_dead_blocks(connection, queue_no=run.queue_no)
            room = most
            if max_objects is not None:
                room = min(most, max_objects - int(QUERIES.taken_objects(connection, run_no=run.run_no)))
            missing = room
            while missing > 0:
                picked = QUERIES.spread_blocks(connection, queue_no=run.queue_no, token=place.token, most=missing)
                ids = [row["block_id"] for row in picked]
                if not ids:
                    break
                each, one_more = divmod(missing, len(ids))
                missing -= QUERIES.set_apart(
                    connection, **run.numbers, token=place.token, block_ids=ids, each=each, one_more=one_more
                )
            if room > missing:
                QUERIES.note_taken(connection, run_no=run.run_no, objects=room - missing)
            held = [row["block_id"] for row in QUERIES.blocks_held(connection, token=place.token)]
            works = QUERIES.work_of_blocks(connection, block_ids=held)
            return [Work.from_row(row, bucket=run.bucket) for row in works]

        return self._do(work)
