"""Runs: begun, stopped, finished, found again."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg.types.json import Jsonb

from vod_migrate.migration.options import Mode
from vod_migrate.results.claims import BETWEEN_TASKS
from vod_migrate.results.process import is_gone, this_process
from vod_migrate.results.run import Gate, Run, RunSignal
from vod_migrate.results.scan import PlanRecord, ScanKind
from vod_migrate.results.session import QUERIES, Session, StoreConnection
from vod_migrate.results.stop_code import StopCode

_QUEUED_AT_ONCE = 20_000
_RANGES_AT_ONCE = 500


class Runs(Session):
    """What may happen to a run."""

    def prepare_run(
        self,
        run: Run,
        *,
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
            before = _run_of_origin(connection, run)
            if before is not None and before["state"] == "running":
                return str(before["run_id"])
            execution = 1 if before is None else before["execution"] + 1
            new = replace(
                run,
                migration_id=QUERIES.keep_migration(connection, account=run.account, name=run.migration),
                source_id=QUERIES.keep_source(connection, account=run.account, bucket=run.bucket),
            )
            QUERIES.see_migration(connection, **new.numbers, dag_id=run.dag_id or "")
            plan_queue = None if plan is None else plan.queue_no
            queue_no = new_queue(connection, new, plan_queue) if continues is None else continues.queue_no
            new = replace(new, queue_no=queue_no)
            run_no = _insert(connection, new, execution)
            if run_no is None:
                again = _run_of_origin(connection, run)
                return run.run_id if again is None else str(again["run_id"])
            new = replace(new, run_no=run_no)
            _open_scans(connection, new, prefixes, whole=whole, leftovers=leftovers, fixed=fixed)
            if run.spec.source.listed and prefixes and run.options.prefixes is None and not run.planning:
                QUERIES.drop_other_ranges(connection, **new.numbers, prefixes=list(prefixes))
            if continues is not None:
                QUERIES.continue_scans(connection, run_no=run_no, before=continues.run_no)
            QUERIES.take_place(
                connection, run_no=run_no, slot=BETWEEN_TASKS, token=uuid.uuid4(), host=this_process(), lease=self.lease
            )
            _expire_gone(connection, migration_id=new.migration_id)
            QUERIES.close_dead_runs(connection, **new.numbers)
            return run.run_id

        return self.run(self._do(work))

    def same_origin(self, run: Run) -> Run | None:
        """The run that the same Airflow task prepared before and that still works, for a retry; None where there is none."""
        before = self._do(lambda c: _run_of_origin(c, run))
        return None if before is None or before["state"] != "running" else self.run(before["run_id"])

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            KeyError: there is no such run.
        """
        row = self._ask(QUERIES.get_run, run_id=run_id)
        if row is None:
            raise KeyError(run_id)
        return Run.from_row(row)

    def latest_run(self, account: str | None, migration: str, *, sends: bool = False) -> Run | None:
        """The newest run of a migration, of any account where None; one that only repaired results is none. sends: nor is a plan."""
        run_id = self._ask(QUERIES.latest_run_id, account=account, migration=migration, sends=sends)
        return None if run_id is None else self.run(run_id)

    def runs(self, *, migration: str | None = None, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        return [self.run(row["run_id"]) for row in self._ask(QUERIES.list_run_ids, migration=migration, most=most)]

    def reopen_run(self, run_id: str) -> None:
        """A task of a finished run works again (cleared by itself)."""
        self._ask(QUERIES.reopen_run, run_id=run_id)

    def stop_run(self, run_id: str, *, code: StopCode, message: str) -> None:
        """Tells every worker of the run to stop; the first reason stays."""
        self._ask(QUERIES.stop_run, run_id=run_id, code=code.value, message=message)

    def ask_to_end(self, run_id: str, *, code: StopCode, message: str, by: str) -> bool:
        """A person pauses or cancels a run that works. False: it has ended, or ends for a reason that is above this one."""
        return self._ask(QUERIES.ask_to_end, run_id=run_id, code=code.value, message=message, by=by) is not None

    def cancel_paused(self, run_id: str, *, code: StopCode, message: str, by: str) -> bool:
        """A person cancels a run that was paused. False: it was not."""
        return self._ask(QUERIES.cancel_paused, run_id=run_id, code=code.value, message=message, by=by) is not None

    def is_idle(self, run_id: str) -> bool:
        """Whether nobody works on a run: it has ended, or every lease has run out (in Airflow, for longer than tasks take to be retried)."""

        def work(connection: StoreConnection) -> bool:
            _expire_gone(connection, run_id=run_id)
            return not QUERIES.run_is_live(connection, run_id=run_id)

        return self._do(work)

    def signal(self, run_id: str, *, patience: float | None = 0.0) -> RunSignal:
        """Whether a run goes on. Cheap enough for every second; patience: seconds to wait for a database that is away."""
        row = self._ask(QUERIES.run_signal, run_id=run_id, patience=patience)
        code = None if row["stop_code"] is None else StopCode(row["stop_code"])
        return RunSignal(**{**row, "stop_code": code, "scopes": tuple(row["scopes"])})

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
        queued = self._ask(QUERIES.queued_by_scans, run_no=run.run_no)
        return max(0, run.options.limit - int(queued))

    def note_rate(self, run_id: str, rate: float | None) -> None:
        """A person changed the run's own rate."""
        self._ask(QUERIES.note_rate, run_id=run_id, rate=rate)

    def claim_notice(self, run: Run, *, event: str, receiver: int) -> bool:
        """Whether a receiver is still to be told of an event; from now on it counts as told, however sending ends.

        receiver: its place in the run's file. A run that is reopened has each of its events anew.
        """
        return self._ask(QUERIES.claim_notice, run_no=run.run_no, event=event, receiver=receiver) is not None

    def finish_run(self, run: Run, *, state: str, summary: Mapping[str, Any]) -> None:
        """Writes the run's verdict."""

        def work(connection: StoreConnection) -> None:
            QUERIES.drop_empty_blocks(connection, queues=[run.queue_no])
            QUERIES.finish_run(connection, run_no=run.run_no, state=state, summary=Jsonb(dict(summary)))

        self._do(work)
        # What became of the objects of the ranges in its queue, some ranges at a time.
        settled: Mapping[str, Any] | None = {"prefix": "", "until": ""}
        while settled is not None:
            settled = self._ask(
                QUERIES.settle_ranges,
                **run.numbers,
                **settled,
                retry_failed=run.spec.register_.retry_failed,
                most=_RANGES_AT_ONCE,
            )

    def queue_failed(self, run: Run) -> int:
        """Failed objects become work of a run of mode failed, and stay failed until they are settled anew; of no other. Returns how many."""
        most, queued = run.options.limit, 0
        while run.mode is Mode.FAILED and (most is None or queued < most):
            part = _QUEUED_AT_ONCE if most is None else min(_QUEUED_AT_ONCE, most - queued)
            count = self._do(lambda c, part=part: _queue_failed(c, run, part))  # type: ignore[misc]
            if not count:
                break
            queued += count
        return queued


def new_queue(connection: StoreConnection, run: Run, plan_queue: int | None) -> int:
    """A queue for a run, with the run's gate. plan_queue: that of the plan with which it is to be compared. Returns its number."""
    return int(
        QUERIES.insert_queue(connection, **run.numbers, mode=run.mode.value, gate=run.gate.value, plan_queue=plan_queue)
    )


def _insert(connection: StoreConnection, run: Run, execution: int) -> int | None:
    run_no = QUERIES.insert_run(
        connection,
        **run.numbers,
        run_id=run.run_id,
        region=run.region,
        mode=run.mode.value,
        options=Jsonb(run.options.stored()),
        spec=Jsonb(run.spec.resolved()),
        spec_digest=run.spec_digest,
        local_date=run.local_date,
        origin=run.origin,
        dag_id=run.dag_id,
        dag_run_id=run.dag_run_id,
        task_group=run.task_group,
        execution=execution,
    )
    return None if run_no is None else int(run_no)


def _open_scans(
    connection: StoreConnection, run: Run, prefixes: Sequence[str], *, whole: bool, leftovers: bool, fixed: bool
) -> None:
    kind = ScanKind.PREFIX if run.spec.source.listed else ScanKind.ROWS
    scans = [(kind, prefix, whole) for prefix in prefixes]
    if leftovers:
        scans.insert(0, (ScanKind.LEFTOVERS, "", fixed))
    if run.gate is Gate.APPROVING:
        scans.append((ScanKind.APPROVAL, "", False))
    for position, (of, prefix, entire) in enumerate(scans):
        QUERIES.open_scan(connection, run_no=run.run_no, position=position, kind=of.value, prefix=prefix, whole=entire)


def _queue_failed(connection: StoreConnection, run: Run, most: int) -> int:
    QUERIES.hold_source(connection, source_id=run.source_id)
    QUERIES.doubt_failed(connection, **run.numbers)
    chosen = run.options
    return int(
        QUERIES.queue_failed(
            connection,
            **run.numbers,
            prefixes=None if chosen.prefixes is None else list(chosen.prefixes),
            codes=None if chosen.codes is None else list(chosen.codes),
            since=chosen.modified_since,
            most=most,
        )
    )


def _expire_gone(connection: StoreConnection, *, run_id: str | None = None, migration_id: int | None = None) -> None:
    """Ends the leases of processes of this machine that have ended, as far as that can be known."""
    holders = QUERIES.living_holders(connection, run_id=run_id, migration_id=migration_id)
    gone = [row["token"] for row in holders if is_gone(row["host"])]
    if gone:
        QUERIES.expire_leases(connection, tokens=gone)


def _run_of_origin(connection: StoreConnection, run: Run) -> Any:
    """What is stored of the newest run of the same Airflow task; None where there is none, or the run is none of Airflow's."""
    return QUERIES.run_of_origin(connection, dag_id=run.dag_id, dag_run_id=run.dag_run_id, task_group=run.task_group)
