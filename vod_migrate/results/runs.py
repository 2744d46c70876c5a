"""Runs: begun, stopped, finished, found again; and whose leftovers they take over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from vod_migrate.results.run import Run, RunSignal
from vod_migrate.results.session import QUERIES, Presence, Session


class Runs(Session):
    """What may happen to a run."""

    def prepare_run(
        self, run: Run, *, spec_digest: str, prefixes: Sequence[str], whole: bool, continues: str | None = None
    ) -> Run:
        """Stores a run and its scans; returns the one that is stored. continues: the run whose unfinished scans it takes up.

        A run of the same origin that still works keeps its row: an Airflow retry goes on. One that has ended stays as it
        is, and a cleared DAG run begins a new one.
        """

        def work(connection: psycopg.Connection) -> str:
            execution = 1
            if run.dag_id is not None:
                before = _run_of_origin(connection, run)
                if before is not None and before[2] == "running":
                    return str(before[0])
                execution = 1 if before is None else before[1] + 1
            self.insert(connection, run, spec_digest=spec_digest, execution=execution)
            stored = run.run_id if run.dag_id is None else str(_run_of_origin(connection, run)[0])
            if stored == run.run_id:
                for position, prefix in enumerate(prefixes):
                    QUERIES.open_scan(connection, run_id=stored, prefix=prefix, position=position, whole=whole)
                if continues is not None:
                    QUERIES.continue_scans(connection, run_id=stored, resumes=continues)
            list(QUERIES.close_dead_runs(connection, account=run.account, migration=run.migration, run_id=stored))
            return stored

        return self.run(self._do(work))

    def insert(self, connection: psycopg.Connection, run: Run, *, spec_digest: str, execution: int) -> None:
        """Part of a transaction that begins a run; one that is there already stays as it is."""
        QUERIES.insert_run(
            connection,
            run_id=run.run_id,
            account=run.account,
            region=run.region,
            migration=run.migration,
            bucket=run.bucket,
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

    def same_origin(self, run: Run) -> str | None:
        """The run that the same Airflow task prepared before and that still works, for a retry; None where there is none."""
        if run.dag_id is None:
            return None
        before = self._do(lambda c: _run_of_origin(c, run))
        return None if before is None or before[2] != "running" else str(before[0])

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            KeyError: there is no such run.
        """
        row = self._do(lambda c: QUERIES.get_run(c, run_id=run_id))
        if row is None:
            raise KeyError(run_id)
        return Run.from_row(row)

    def latest_run(self, account: str | None, migration: str) -> Run | None:
        """The newest run of a migration, of any account where None."""
        run_id = self._do(lambda c: QUERIES.latest_run_id(c, account=account, migration=migration))
        return None if run_id is None else self.run(run_id)

    def runs(self, *, migration: str | None = None, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        rows = self._do(lambda c: list(QUERIES.list_run_ids(c, migration=migration, most=most)))
        return [self.run(row[0]) for row in rows]

    @contextmanager
    def presence(self, run_id: str) -> Iterator[Presence]:
        """While this is held the run counts as alive; it ends with the process, however that ends."""
        presence = Presence(lambda: self._locked(f"run:{run_id}", shared=True, wait=True))
        try:
            presence.keep()
            yield presence
        finally:
            presence.end()

    def show_life(self, run_id: str) -> None:
        """One of the run's tasks works."""
        self._do(lambda c: QUERIES.show_life(c, run_id=run_id))

    def reopen_run(self, run_id: str) -> None:
        """A task of a finished run works again (cleared by itself)."""
        self._do(lambda c: QUERIES.reopen_run(c, run_id=run_id))

    def stop_run(self, run_id: str, *, code: str, message: str) -> None:
        """Tells every worker of the run to stop; the first reason stays."""
        self._do(lambda c: QUERIES.stop_run(c, run_id=run_id, code=code, message=message))

    def ask_to_end(self, run_id: str, *, code: str, message: str, by: str) -> bool:
        """A person pauses or cancels a run that works. False: it has ended, or ends for a reason that is above this one."""
        return self._do(lambda c: QUERIES.ask_to_end(c, run_id=run_id, code=code, message=message, by=by)) is not None

    def cancel_paused(self, run_id: str, *, code: str, message: str, by: str) -> bool:
        """A person cancels a run that was paused. False: it was not."""
        return (
            self._do(lambda c: QUERIES.cancel_paused(c, run_id=run_id, code=code, message=message, by=by)) is not None
        )

    def is_idle(self, run_id: str) -> bool:
        """Whether nobody works on a run: it has ended, its process is gone, or its tasks were silent for long."""
        return bool(self._do(lambda c: QUERIES.run_is_idle(c, run_id=run_id)))

    def signal(self, run_id: str, *, patience: float | None = 0.0) -> RunSignal:
        """Whether a run goes on. Cheap enough for every second; patience: seconds to wait for a database that is away."""
        state, code, message, now, scopes = self._do(lambda c: QUERIES.run_signal(c, run_id=run_id), patience=patience)
        return RunSignal(state=state, stop_code=code, stop_message=message, now=now, scopes=tuple(scopes))

    def spec_digest(self, run_id: str) -> str:
        """The digest of the file that a run was made from."""
        return str(self._do(lambda c: QUERIES.spec_digest(c, run_id=run_id)))

    def rest(self, run: Run) -> tuple[int, int]:
        """(objects that a run, and those that it resumed, left pending; prefixes that it did not list to the end)."""

        def work(connection: psycopg.Connection) -> tuple[int, int]:
            waiting = QUERIES.waiting_counts(
                connection,
                account=run.account,
                migration=run.migration,
                run_id="",
                mode=run.mode.value,
                resumes=run.run_id,
                only=None,
            )
            return int(waiting[0]) + int(waiting[1]), int(QUERIES.unlisted_scans(connection, run_id=run.run_id))

        return self._do(work)

    def room_left(self, run: Run) -> int | None:
        """How many objects a run's limit still leaves room for; None where it has no limit."""
        if run.options.limit is None:
            return None
        queued = self._do(lambda c: QUERIES.queued_by_scans(c, run_id=run.run_id))
        return max(0, run.options.limit - int(queued))

    def note_pace(self, run_id: str, rate: float | None) -> None:
        """A person changed the run's own pace."""
        self._do(lambda c: QUERIES.note_pace(c, run_id=run_id, rate=rate))

    def finish_run(self, run_id: str, *, state: str, summary: dict[str, Any]) -> None:
        """Writes the run's verdict."""

        def work(connection: psycopg.Connection) -> None:
            QUERIES.finish_run(connection, run_id=run_id, state=state, summary=Jsonb(summary))
            QUERIES.drop_brake(connection, run_id=run_id)

        self._do(work)

    def queue_failed(self, run: Run, *, prefixes: Sequence[str] | None) -> int:
        """Mode failed: failed results become this run's work. Returns how many."""
        return int(
            self._do(
                lambda c: QUERIES.queue_failed(
                    c,
                    account=run.account,
                    migration=run.migration,
                    run_id=run.run_id,
                    prefixes=None if prefixes is None else list(prefixes),
                    codes=None if run.options.codes is None else list(run.options.codes),
                    since=run.options.modified_since,
                    most=run.options.limit or 2**62,
                )
            )
        )

    def adopt_pending(self, run: Run, *, most: int) -> int:
        """Takes over part of what earlier runs of this migration left pending. Returns how many; 0: nothing is left.

        A run that resumes another one, and is narrowed as that one was, takes over its rest and nothing else. One that was
        approved takes over from the runs that its plan names, and from no others.
        """
        return int(
            self._do(
                lambda c: QUERIES.adopt_pending(
                    c,
                    only=planned_leftovers(c, run),
                    account=run.account,
                    migration=run.migration,
                    run_id=run.run_id,
                    mode=run.mode.value,
                    resumes=run.rest_of,
                    most=most,
                )
            )
        )


def planned_leftovers(connection: psycopg.Connection, run: Run) -> list[str] | None:
    """The runs whose leftovers a run may take over; None where no plan binds it."""
    if not run.bound:
        return None
    rows = QUERIES.planned_leftovers(
        connection, digest=run.options.approve, run_id=run.run_id, account=run.account, migration=run.migration
    )
    return [row[0] for row in rows]


def _run_of_origin(connection: psycopg.Connection, run: Run) -> Any:
    return QUERIES.run_of_origin(connection, dag_id=run.dag_id, dag_run_id=run.dag_run_id, task_group=run.task_group)
