"""Plans: runs whose queue is held back until somebody approves what is in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from psycopg.types.json import Jsonb

from vod_migrate.results.maintenance import Maintenance
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.runs import Runs, new_queue
from vod_migrate.results.scan import PlanRecord, ScanKind
from vod_migrate.results.session import QUERIES, StoreConnection
from vod_migrate.results.work import Work


class Plans(Runs, Maintenance):
    """What may happen to a plan."""

    def queued(self, run: Run) -> Iterator[list[Work]]:
        """The run's queue, block by block as it was found; what is to be tried alone comes last."""
        for alone in (False, True):
            after = 0
            while rows := self._ask(QUERIES.work_after, queue_no=run.queue_no, alone=alone, after=after):
                after = rows[0]["block_id"]
                yield [Work.from_row(row, bucket=run.bucket) for row in rows]

    def save_plan(self, run: Run, *, digest: str, body: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """A plan, with the run that made it. Plans of the same file and options that nobody has decided about are superseded."""

        def work(connection: StoreConnection) -> list[int]:
            QUERIES.save_plan(connection, **run.numbers, digest=digest, body=Jsonb(dict(body)))
            QUERIES.finish_run(connection, run_no=run.run_no, state="planned", summary=Jsonb(dict(summary)))
            return [row["queue_no"] for row in QUERIES.superseded_queues(connection, run_no=run.run_no)]

        for queue_no in self._do(work):
            self.discard_queue(queue_no)

    def plan_of(self, run_id: str) -> PlanRecord | None:
        """The plan that a run made, None where it made none."""
        row = self._ask(QUERIES.plan_of_run, run_id=run_id)
        return None if row is None else PlanRecord(**row)

    def plans_of_digest(self, beginning: str, *, most: int = 3) -> list[PlanRecord]:
        """The plans whose digest begins so, one of each digest, newest first."""
        return [PlanRecord(**row) for row in self._ask(QUERIES.plans_of_digest, beginning=beginning, most=most)]

    def decide_plan(self, run_id: str, *, approved: bool, by: str, message: str = "") -> bool:
        """What a person decided; the first yes stays. After a no nothing of the plan is kept, and its run says `message`. False: too late."""

        def work(connection: StoreConnection) -> int | None:
            queue_no: int | None = QUERIES.decide_plan(connection, run_id=run_id, approved=approved, by=by)
            if queue_no is not None and not approved:
                QUERIES.mark_rejected(connection, run_id=run_id, message=message)
            return queue_no

        queue_no = self._do(work)
        if queue_no is not None and not approved:
            self.discard_queue(queue_no)
        return queue_no is not None

    def approve_run(self, run: Run) -> Run:
        """The run that made a plan begins to work on it: a fresh queue is filled by listing once more, and held against the plan's."""

        def work(connection: StoreConnection) -> None:
            QUERIES.reopen_run(connection, run_id=run.run_id)
            _begin_anew(connection, replace(run, gate=Gate.APPROVING), plan_queue=run.queue_no)
            QUERIES.open_scan(
                connection,
                run_no=run.run_no,
                position=1_000_000,
                kind=ScanKind.APPROVAL.value,
                prefix="",
                whole=False,
            )

        self._do(work)
        return self.run(run.run_id)

    def plan_anew(self, run: Run) -> Run:
        """The run that made a plan makes another one: its queue is deleted, and it lists from the beginning into a fresh one."""
        self._do(lambda c: _begin_anew(c, replace(run, gate=Gate.PLANNING), plan_queue=None))
        self.discard_queue(run.queue_no, anyway=True)
        return self.run(run.run_id)

    def discard(self, run_id: str) -> int | None:
        """Deletes what a run that has ended would still have sent, or its plan. Returns how many objects; None: somebody works on it."""
        return self.discard_queue(self.run(run_id).queue_no)

    def forget_run(self, run: Run) -> None:
        """A plan that was interrupted leaves nothing behind."""
        self.discard_queue(run.queue_no, anyway=True)
        self._ask(QUERIES.prune_run, run_no=run.run_no)

    def drop_old_plans(self, before: dt.datetime) -> int:
        """Deletes what plans made before a moment would have sent. Returns how many plans."""
        rows = self._ask(QUERIES.old_plan_queues, before=before)
        return sum(self.discard_queue(row["queue_no"]) is not None for row in rows)


def _begin_anew(connection: StoreConnection, run: Run, *, plan_queue: int | None) -> None:
    """The run lists from the beginning, into a fresh queue with its gate."""
    QUERIES.use_queue(connection, run_no=run.run_no, queue_no=new_queue(connection, run, plan_queue))
    QUERIES.begin_scans_anew(connection, run_no=run.run_no)
