"""The numbers of a run, from its outcomes, calls and scans."""

from __future__ import annotations

import psycopg

from vod_migrate.results.run import Run
from vod_migrate.results.runs import planned_leftovers
from vod_migrate.results.session import QUERIES, Session
from vod_migrate.results.summary import RunCounts


class CountQueries(Session):
    """What can be counted about a run."""

    def outcome_counts(self, run: Run) -> dict[str, int]:
        """How many outcomes of each kind the run has since it began, or since a task of it was cleared."""
        if run.reopened_at == run.created_at:
            return dict(self._do(lambda c: list(QUERIES.outcome_counts(c, run_id=run.run_id))))
        return dict(self._do(lambda c: list(QUERIES.outcome_counts_since(c, run_id=run.run_id, since=run.reopened_at))))

    def alone_left(self, run_id: str) -> int:
        """How many objects were refused once and wait for their second try."""
        return int(self._do(lambda c: QUERIES.alone_left(c, run_id=run_id)))

    def broken_rows(self, run: Run) -> int:
        """How many of the failures in `outcome_counts` are rows of the run's manifest."""
        return int(self._do(lambda c: QUERIES.broken_rows(c, run_id=run.run_id, since=run.reopened_at)))

    def any_registered(self, run_id: str) -> bool:
        """Whether any call with the run's very settings succeeded, in this run or before, so that they are right."""
        return bool(self._do(lambda c: QUERIES.any_registered(c, run_id=run_id)))

    def counts(self, run_id: str) -> RunCounts:
        """The numbers of a run, from its outcomes and scans; what it had left, as it was when it ended."""

        def work(connection: psycopg.Connection) -> RunCounts:
            connection.execute("set transaction isolation level repeatable read")
            run = Run.from_row(QUERIES.get_run(connection, run_id=run_id))
            return RunCounts.from_rows(
                outcomes=dict(QUERIES.outcome_counts(connection, run_id=run_id)),
                calls=dict(QUERIES.call_counts(connection, run_id=run_id)),
                pending=_left(connection, run),
                scans=list(QUERIES.scan_counts(connection, run_id=run_id)),
            )

        return self._do(work)


def _left(connection: psycopg.Connection, run: Run) -> tuple[int, int]:
    if run.summary is not None:
        # Later runs have gone on with it since; this run's report must not change for that.
        counts = run.summary["counts"]
        return counts["pending"], counts["unknown"]
    own = QUERIES.pending_counts(connection, run_id=run.run_id)
    if not run.goes_on:
        return own[0], own[1]
    waiting = QUERIES.waiting_counts(
        connection,
        account=run.account,
        migration=run.migration,
        run_id=run.run_id,
        mode=run.mode.value,
        resumes=run.rest_of,
        only=planned_leftovers(connection, run),
    )
    return own[0] + int(waiting[0]), own[1] + int(waiting[1])
