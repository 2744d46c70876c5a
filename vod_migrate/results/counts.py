"""The numbers of a run."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan
from vod_migrate.results.session import QUERIES, Session, StoreConnection
from vod_migrate.results.summary import RunCounts
from vod_migrate.results.work import Place


class Counts(Session):
    """What can be counted about a run."""

    def outcome_counts(self, run: Run) -> dict[tuple[str, str], int]:
        """(outcome, code of a failed one or ''): objects, since the run began, or since a task of it was cleared."""
        rows = self._ask(QUERIES.outcome_counts, run_no=run.run_no)
        return {(row["outcome"], row["code"]): row["objects"] - row["before"] for row in rows}

    def alone_left(self, run: Run) -> int:
        """How many objects were refused once and wait for their second try."""
        return int(self._ask(QUERIES.alone_left, queue_no=run.queue_no))

    def proven(self, run: Run) -> bool:
        """Whether a file was registered with the run's very settings, in this run or before, so that they were right once."""
        return bool(self._ask(QUERIES.proven, run_no=run.run_no))

    def accepted_since(self, run: Run, moment: dt.datetime) -> bool:
        """Whether VOD took a call of the run that began after a moment, so that the settings are right now."""
        return bool(self._ask(QUERIES.accepted_since, run_no=run.run_no, since=moment))

    def gauges(self, run: Run, place: Place, api: str, *, anyway: bool, patience: float) -> dict[str, float]:
        """What the gauges of a run show, by name; nothing for a worker that is not the first living one, unless `anyway`.

        pending: objects; oldest_pending_age: seconds; rate: the account's calls per second for that API; rate_share: in force, 0 to 1.
        """
        row = self._ask(
            QUERIES.run_gauges,
            **run.numbers,
            account=run.account,
            api=api,
            worker_no=place.worker_no,
            anyway=anyway,
            patience=patience,
        )
        return {name: float(value) for name, value in (row or {}).items()}

    def counts(self, run_id: str) -> RunCounts:
        """The numbers of a run; what it had left, as it was when it ended."""

        def work(connection: StoreConnection) -> RunCounts:
            connection.execute("set transaction isolation level repeatable read")
            run = Run.from_row(QUERIES.get_run(connection, run_id=run_id))
            outcomes: Counter[str] = Counter()
            for row in QUERIES.outcome_counts(connection, run_no=run.run_no):
                outcomes[row["outcome"]] += int(row["objects"])
            pending, unknown = _left(connection, run)
            return RunCounts.from_rows(
                outcomes=outcomes,
                calls={row["answer"]: row["calls"] for row in QUERIES.call_counts(connection, run_no=run.run_no)},
                pending=pending,
                unknown=unknown,
                scans=[Scan.from_row(row) for row in QUERIES.scans_of_run(connection, run_no=run.run_no, state=None)],
            )

        return self._do(work)


def _left(connection: StoreConnection, run: Run) -> tuple[int, int]:
    if run.summary is not None:
        # Later runs have gone on with it since; this run's report must not change for that.
        counts = run.summary["counts"]
        return counts["pending"], counts["unknown"]
    row = QUERIES.pending_counts(connection, queue_no=run.queue_no)
    return row["objects"] - row["unsure"], row["unsure"]
