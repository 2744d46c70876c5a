"""What is done to the results store now and then: pruned, handed over, recounted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from vod_migrate.errors import BadOption
from vod_migrate.results.database import connected
from vod_migrate.results.session import QUERIES, Session, StoreConnection

_ROWS_AT_ONCE = 5_000
_RUNS_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Pruned:
    """What was deleted."""

    runs: int
    calls: int
    events: int


class Maintenance(Session):
    """Prune, transfer, discard, recount."""

    def discard(self, run_id: str) -> int | None:
        """Deletes what a run that has ended would still have sent, or its plan. Returns how many objects; None: somebody works on it."""
        queue_no = self._do(lambda c: QUERIES.queue_of_run(c, run_id=run_id))
        if queue_no is None:
            raise KeyError(run_id)
        return self.discard_queue(queue_no)

    def discard_queue(self, queue_no: int, *, anyway: bool = False) -> int | None:
        """Deletes a queue's work, a part at a time. anyway: also where somebody works on it."""
        given_up = self._do(lambda c: QUERIES.discard_queue(c, queue_no=queue_no, anyway=anyway))
        if given_up is None:
            return None
        migration_id = self._do(lambda c: QUERIES.migration_of_queue(c, queue_no=queue_no))
        deleted = 0
        while (part := self._do(lambda c: QUERIES.delete_discarded(c, migration_id=migration_id))) is not None:
            deleted += int(part)
        return deleted

    def refresh_statistics(self) -> None:
        """Lets the planner know how much work there is. Whoever may not analyze the tables, or finds them locked, changes nothing."""
        self._do(lambda c: c.execute("analyze (skip_locked) vod_migrate.work, vod_migrate.blocks"))

    def transfer(self, account: str, old: str, new: str) -> int:
        """Hands everything that a migration has registered, or that failed, over to another one. Returns how many objects.

        Raises:
            BadOption: there is no such migration, or one of them has a run under way.
        """
        if old == new:
            raise BadOption(f"transfer: {old!r} cannot be handed over to itself")
        numbers = [self._do(lambda c, name=name: _number(c, account, name)) for name in (old, new)]  # type: ignore[misc]
        if numbers[0] is None:
            raise BadOption(f"transfer: there is no migration {old!r} in account {account!r} of this results database")
        for name, number in zip((old, new), numbers, strict=True):
            if number is not None and self._do(lambda c, n=number: QUERIES.migration_is_live(c, migration_id=n)):  # type: ignore[misc]
                raise BadOption(f"transfer: a run of {name!r} is under way: wait for its end, or cancel it")
        if numbers[1] is None:
            renamed = self._do(lambda c: QUERIES.rename_migration(c, account=account, old=old, new=new))
            if renamed is not None:
                return int(renamed)
            numbers[1] = self._do(lambda c: QUERIES.keep_migration(c, account=account, name=new))
        sources = self._do(lambda c: list(QUERIES.sources_of_migration(c, account=account, migration_id=numbers[0])))
        for row in sources:
            self._do(lambda c, row=row: QUERIES.doubt_source(c, source_id=row["source_id"]))  # type: ignore[misc]
        return sum(
            self._transfer(row["source_id"], numbers[0], numbers[1], message=f"from {old} to {new}") for row in sources
        )

    def _transfer(self, source_id: int, old: int, new: int | None, *, message: str) -> int:
        moved, after = 0, ""
        while True:
            part = self._do(
                lambda c, after=after: QUERIES.transfer_part(  # type: ignore[misc]
                    c, source_id=source_id, old=old, new=new, after=after, most=_ROWS_AT_ONCE, message=message
                )
            )
            if part["until"] is None:
                return moved
            moved, after = moved + part["objects"], part["until"]

    def prune(self, before: dt.datetime) -> Pruned:
        """Deletes the audit of runs that ended before a moment, a part at a time.

        No fact is deleted; a run stays, with its file and its window, while a fact names it.
        """
        calls = events = runs = 0
        seen: set[int] = set()
        while numbers := [
            row["run_no"]
            for row in self._do(lambda c: list(QUERIES.prunable_runs(c, before=before, most=_RUNS_AT_ONCE + len(seen))))
            if row["run_no"] not in seen
        ]:
            for number in numbers:
                seen.add(number)
                while part := self._do(lambda c, n=number: QUERIES.prune_calls(c, run_no=n, most=_ROWS_AT_ONCE)):  # type: ignore[misc]
                    calls += part
                self._do(lambda c, n=number: QUERIES.prune_run(c, run_no=n))  # type: ignore[misc]
                runs += 1
        while part := self._do(lambda c: QUERIES.prune_events(c, before=before, most=_ROWS_AT_ONCE)):
            events += part
        self._give_back()
        return Pruned(runs=runs, calls=calls, events=events)

    def _give_back(self) -> None:
        """Gives the room of settled work back to the disk: its indexes keep the peak of the backlog otherwise."""
        with connected(self.url) as connection:
            connection.execute(
                "vacuum vod_migrate.work, vod_migrate.blocks, vod_migrate.calls, vod_migrate.events, vod_migrate.rates"
            )
            connection.execute("reindex table concurrently vod_migrate.work")

    def recount(self) -> None:
        """Counts the totals of every migration anew from the facts."""
        self._do(QUERIES.recount)


def _number(connection: StoreConnection, account: str, name: str) -> Any:
    return QUERIES.migration_number(connection, account=account, name=name)
