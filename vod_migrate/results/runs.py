"""Runs: begun, stopped, finished, found again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from vod_migrate.results.claims import BETWEEN_TASKS
from vod_migrate.results.listed_ranges import settle_ranges
from vod_migrate.results.process import is_gone, this_process
from vod_migrate.results.run import Gate, Run, RunSignal
from vod_migrate.results.scan import PlanRecord, ScanKind
from vod_migrate.results.session import QUERIES, Session, StoreConnection
from vod_migrate.results.stop_code import StopCode

_QUEUED_AT_ONCE = 20_000


class Runs(Session):
    """What may happen to a run."""

    def prepare_run(
        self,
        run: Run,
        *,
        spec_digest: str,
        prefixes: Sequence[str],
        whole: bool,
        leftovers: bool = False,
        fixed: bool = True,
        plan: PlanRecord | None = None,
        continues: Run | None = None,
    ) -> Run:
        """Stores a run with its queue and its scans; returns the one that is stored.

        leftovers: whether it takes over what earlier runs left; fixed: whether what the file selects does not depend on a date. run.gate: of its queue; approving needs `plan`. continues: the run
        whose queue it goes on with, and whose unfinished scans it takes up.
        A run of the same Airflow origin that still works keeps its row: a retry goes on. One that has ended stays as it is, and a cleared DAG
        run begins a new one.
        """

        def work(connection: StoreConnection) -> str:
            execution = 1
            if run.dag_id is not None:
                before = _run_of_origin(connection, run)
                if before is not None and before["state"] == "running":
                    return str(before["run_id"])
                execution = 1 if before is None else before["execution"] + 1
            migration_id = QUERIES.keep_migration(connection, account=run.account, name=run.migration)
            source_id = QUERIES.keep_source(connection, account=run.account, bucket=run.bucket)
            QUERIES.see_migration(connection, migration_id=migration_id, dag_id=run.dag_id or "")
            queue_no = (
                continues.queue_no
                if continues is not None
                else self._queue(connection, run, migration_id, source_id, plan)
            )
            run_no = _insert(connection, run, migration_id, source_id, queue_no, spec_digest, execution)
            if run_no is None:
                again = _run_of_origin(connection, run) if run.dag_id is not None else None
                return run.run_id if again is None else str(again["run_id"])
            self._open_scans(connection, run, run_no, prefixes, whole=whole, leftovers=leftovers, fixed=fixed)
            if run.spec.source.listed and prefixes and run.options.prefixes is None and not run.planning:
                QUERIES.drop_other_ranges(
                    connection, migration_id=migration_id, source_id=source_id, prefixes=list(prefixes)
                )
            if continues is not None:
                QUERIES.continue_scans(connection, run_no=run_no, before=continues.run_no)
            QUERIES.take_place(
                connection, run_no=run_no, slot=BETWEEN_TASKS, token=uuid.uuid4(), host=this_process(), lease=self.lease
            )
            _expire_gone(connection, migration_id=migration_id)
            list(QUERIES.close_dead_runs(connection, migration_id=migration_id, run_no=run_no))
            return run.run_id

        return self.run(self._do(work))

    def _queue(
        self, connection: StoreConnection, run: Run, migration_id: int, source_id: int, plan: PlanRecord | None
    ) -> int:
        return int(
            QUERIES.insert_queue(
                connection,
                migration_id=migration_id,
                source_id=source_id,
                mode=run.mode.value,
                gate=run.gate.value,
                plan_queue=None if plan is None else plan.queue_no,
            )
        )

    def _open_scans(
        self,
        connection: StoreConnection,
        run: Run,
        run_no: int,
        prefixes: Sequence[str],
        *,
        whole: bool,
        leftovers: bool,
        fixed: bool,
    ) -> None:
        kind = ScanKind.PREFIX if run.spec.source.listed else ScanKind.ROWS
        scans = [(kind, prefix, whole) for prefix in prefixes]
        if leftovers:
            scans.insert(0, (ScanKind.LEFTOVERS, "", fixed))
        if run.gate is Gate.APPROVING:
            scans.append((ScanKind.APPROVAL, "", False))
        for position, (of, prefix, entire) in enumerate(scans):
            QUERIES.open_scan(connection, run_no=run_no, position=position, kind=of.value, prefix=prefix, whole=entire)

    def same_origin(self, run: Run) -> str | None:
        """The run that the same Airflow task prepared before and that still works, for a retry; None where there is none."""
        if run.dag_id is None:
            return None
        before = self._do(lambda c: _run_of_origin(c, run))
        return None if before is None or before["state"] != "running" else str(before["run_id"])

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            KeyError: there is no such run.
        """
        row = self._do(lambda c: QUERIES.get_run(c, run_id=run_id))
        if row is None:
            raise KeyError(run_id)
        return Run.from_row(row)

    def latest_run(self, account: str | None, migration: str, *, sends: bool = False) -> Run | None:
        """The newest run of a migration, of any account where None; one that only repaired results is none. sends: nor is a plan."""
        run_id = self._do(lambda c: QUERIES.latest_run_id(c, account=account, migration=migration, sends=sends))
        return None if run_id is None else self.run(run_id)

    def runs(self, *, migration: str | None = None, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        rows = self._do(lambda c: list(QUERIES.list_run_ids(c, migration=migration, most=most)))
        return [self.run(row["run_id"]) for row in rows]

    def reopen_run(self, run_id: str) -> None:
        """A task of a finished run works again (cleared by itself)."""
        self._do(lambda c: QUERIES.reopen_run(c, run_id=run_id))

    def stop_run(self, run_id: str, *, code: StopCode, message: str) -> None:
        """Tells every worker of the run to stop; the first reason stays."""
        self._do(lambda c: QUERIES.stop_run(c, run_id=run_id, code=code.value, message=message))

    def ask_to_end(self, run_id: str, *, code: StopCode, message: str, by: str) -> bool:
        """A person pauses or cancels a run that works. False: it has ended, or ends for a reason that is above this one."""
        asked = self._do(lambda c: QUERIES.ask_to_end(c, run_id=run_id, code=code.value, message=message, by=by))
        return asked is not None

    def cancel_paused(self, run_id: str, *, code: StopCode, message: str, by: str) -> bool:
        """A person cancels a run that was paused. False: it was not."""
        cancelled = self._do(lambda c: QUERIES.cancel_paused(c, run_id=run_id, code=code.value, message=message, by=by))
        return cancelled is not None

    def is_idle(self, run_id: str) -> bool:
        """Whether nobody works on a run: it has ended, or every lease has run out (in Airflow, for longer than tasks take to be retried)."""

        def work(connection: StoreConnection) -> bool:
            _expire_gone(connection, run_id=run_id)
            return not QUERIES.run_is_live(connection, run_id=run_id)

        return self._do(work)

    def signal(self, run_id: str, *, patience: float | None = 0.0) -> RunSignal:
        """Whether a run goes on. Cheap enough for every second; patience: seconds to wait for a database that is away."""
        row = self._do(lambda c: QUERIES.run_signal(c, run_id=run_id), patience=patience)
        return RunSignal(
            state=row["state"],
            stop_code=None if row["stop_code"] is None else StopCode(row["stop_code"]),
            stop_message=row["stop_message"],
            now=row["now"],
            scopes=tuple(row["scopes"]),
            gate=Gate(row["gate"]),
        )

    def spec_digest(self, run_id: str) -> str:
        """The digest of the file that a run was made from."""
        return str(self._do(lambda c: QUERIES.spec_digest(c, run_id=run_id)))

    def rest(self, run: Run) -> tuple[int, int]:
        """(objects that a run left in its queue; scans that it did not bring to their end)."""

        def work(connection: StoreConnection) -> tuple[int, int]:
            pending = QUERIES.pending_counts(connection, queue_no=run.queue_no)
            return int(pending["objects"]), int(QUERIES.unlisted_scans(connection, run_no=run.run_no))

        return self._do(work)

    def room_left(self, run: Run) -> int | None:
        """How many objects a run's limit still leaves room for; None where it has no limit."""
        if run.options.limit is None:
            return None
        queued = self._do(lambda c: QUERIES.queued_by_scans(c, run_no=run.run_no))
        return max(0, run.options.limit - int(queued))

    def note_rate(self, run_id: str, rate: float | None) -> None:
        """A person changed the run's own rate."""
        self._do(lambda c: QUERIES.note_rate(c, run_id=run_id, rate=rate))

    def finish_run(self, run: Run, *, state: str, summary: Mapping[str, Any]) -> None:
        """Writes the run's verdict."""

        def work(connection: StoreConnection) -> None:
            QUERIES.drop_empty_blocks(connection, queues=[run.queue_no])
            QUERIES.finish_run(connection, run_no=run.run_no, state=state, summary=Jsonb(dict(summary)))

        self._do(work)
        after: tuple[str, str] | None = ("", "")
        while after is not None:
            after = self._do(lambda c, after=after: settle_ranges(c, run, after=after))  # type: ignore[misc]

    def queue_failed(self, run: Run, *, prefixes: Sequence[str] | None) -> int:
        """Mode failed: failed objects become this run's work; they stay failed until they are settled anew. Returns how many."""
        most, queued = run.options.limit, 0
        while most is None or queued < most:
            part = _QUEUED_AT_ONCE if most is None else min(_QUEUED_AT_ONCE, most - queued)
            count = self._do(lambda c, part=part: self._queue_failed(c, run, prefixes, part))  # type: ignore[misc]
            if not count:
                break
            queued += count
        return queued

    def _queue_failed(self, connection: StoreConnection, run: Run, prefixes: Sequence[str] | None, most: int) -> int:
        QUERIES.hold_source(connection, source_id=run.source_id)
        QUERIES.doubt_failed(connection, source_id=run.source_id, migration_id=run.migration_id)
        return int(
            QUERIES.queue_failed(
                connection,
                source_id=run.source_id,
                migration_id=run.migration_id,
                run_no=run.run_no,
                queue_no=run.queue_no,
                prefixes=None if prefixes is None else list(prefixes),
                codes=None if run.options.codes is None else list(run.options.codes),
                since=run.options.modified_since,
                most=most,
            )
        )


def _insert(
    connection: StoreConnection,
    run: Run,
    migration_id: int,
    source_id: int,
    queue_no: int,
    spec_digest: str,
    execution: int,
) -> int | None:
    run_no = QUERIES.insert_run(
        connection,
        run_id=run.run_id,
        migration_id=migration_id,
        source_id=source_id,
        queue_no=queue_no,
        region=run.region,
        mode=run.mode.value,
        options=Jsonb(run.options.stored()),
        spec=Jsonb(run.spec.resolved()),
        spec_digest=spec_digest,
        local_date=run.local_date,
        origin=run.origin,
        dag_id=run.dag_id,
        dag_run_id=run.dag_run_id,
        task_group=run.task_group,
        execution=execution,
    )
    return None if run_no is None else int(run_no)


def _expire_gone(connection: StoreConnection, *, run_id: str | None = None, migration_id: int | None = None) -> None:
    """Ends the leases of processes of this machine that have ended, as far as that can be known."""
    holders = QUERIES.living_holders(connection, run_id=run_id, migration_id=migration_id)
    gone = [row["token"] for row in holders if is_gone(row["host"])]
    if gone:
        QUERIES.expire_leases(connection, tokens=gone)


def _run_of_origin(connection: StoreConnection, run: Run) -> Any:
    return QUERIES.run_of_origin(connection, dag_id=run.dag_id, dag_run_id=run.dag_run_id, task_group=run.task_group)
