"""What is done to the results store now and then: pruned, handed over, recounted."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from vod_migrate.errors import BadOption
from vod_migrate.results.database import connected
from vod_migrate.results.session import QUERIES, Session

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

    def discard_queue(self, queue_no: int, *, anyway: bool = False) -> int | None:
        """Deletes a queue's work, a part at a time. anyway: also where somebody works on it; else None there. Returns how many objects."""
        migration_id = self._ask(QUERIES.discard_queue, queue_no=queue_no, anyway=anyway)
        if migration_id is None:
            return None
        deleted = 0
        while (part := self._ask(QUERIES.delete_discarded, migration_id=migration_id)) is not None:
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
        numbers = [self._ask(QUERIES.migration_number, account=account, name=name) for name in (old, new)]
        if numbers[0] is None:
            raise BadOption(f"transfer: there is no migration {old!r} in account {account!r} of this results database")
        for name, number in zip((old, new), numbers, strict=True):
            if number is not None and self._ask(QUERIES.migration_is_live, migration_id=number):
                raise BadOption(f"transfer: a run of {name!r} is under way: wait for its end, or cancel it")
        if numbers[1] is None:
            renamed = self._ask(QUERIES.rename_migration, account=account, old=old, new=new)
            if renamed is not None:
                return int(renamed)
            numbers[1] = self._ask(QUERIES.keep_migration, account=account, name=new)
        sources = self._ask(QUERIES.sources_of_migration, migration_id=numbers[0])
        for row in sources:
            self._ask(QUERIES.doubt_source, source_id=row["source_id"])
        return sum(
            self._transfer(row["source_id"], numbers[0], numbers[1], message=f"from {old} to {new}") for row in sources
        )

    def _transfer(self, source_id: int, old: int, new: int | None, *, message: str) -> int:
        moved, after = 0, ""
        while True:
            part = self._ask(
                QUERIES.transfer_part,
                source_id=source_id,
                old=old,
                new=new,
                after=after,
                most=_ROWS_AT_ONCE,
                message=message,
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
            for row in self._ask(QUERIES.prunable_runs, before=before, most=_RUNS_AT_ONCE + len(seen))
            if row["run_no"] not in seen
        ]:
            for number in numbers:
                seen.add(number)
                while part := self._ask(QUERIES.prune_calls, run_no=number, most=_ROWS_AT_ONCE):
                    calls += part
                self._ask(QUERIES.prune_run, run_no=number)
                runs += 1
        while part := self._ask(QUERIES.prune_events, before=before, most=_ROWS_AT_ONCE):
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
        self._ask(QUERIES.recount)
