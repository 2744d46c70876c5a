"""The whole engine as four functions: prepare, discover, register, finish. Each may be repeated.

The command line runs them in one process, Airflow as four kinds of tasks; neither knows more than this face.
"""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, replace
from typing import Any

from vod_migrate import errors
from vod_migrate.asking import Asked, Origin, ask, check_pace, new_run_id
from vod_migrate.connection import Connection
from vod_migrate.describe import Describer
from vod_migrate.discover.selection import Selection
from vod_migrate.discover.watching import watched
from vod_migrate.ending import ASKED, stop_error
from vod_migrate.errors import (
    BadOption,
    BadSetting,
    Unfinished,
    VodMigrateError,
)
from vod_migrate.plan.approval import approved_plan, check_failed, gate_of
from vod_migrate.plan.model import Plan
from vod_migrate.plan.saving import counts_of
from vod_migrate.register.quota import API, agree_on_pace
from vod_migrate.results.rows import Counts, Run
from vod_migrate.results.store import Store
from vod_migrate.resuming import scans_to_continue, taken_up
from vod_migrate.spec import Migration, Mode, RunOptions
from vod_migrate.stopping import grace_seconds
from vod_migrate.verdict import state_of, verdict

__all__ = [
    "Asked",
    "Origin",
    "Summary",
    "ask",
    "discover",
    "finish",
    "migration_scope",
    "new_run_id",
    "prepare",
    "register",
    "run_scope",
    "working",
]


LISTING_PATIENCE_SECONDS = 900.0
"""How long a register task leaves an unreachable source to the retries of its discover task, which lie within 10 minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How a run ended. plan: what it would do, where it only planned."""

    run_id: str
    state: str
    counts: Counts
    seconds: float
    error: VodMigrateError | None = None
    plan: Plan | None = None

    @property
    def calls(self) -> int:
        """RegisterMedia requests made, whatever the answer."""
        return self.counts.calls

    @property
    def throttled(self) -> int:
        """Requests that the service throttled."""
        return self.counts.throttled

    def as_json(self) -> dict[str, Any]:
        """The line that `vod-migrate run --json` ends with, and the report task's XCom."""
        plan = {} if self.plan is None else {"plan": self.plan.as_json()}
        return {
            "run_id": self.run_id,
            "state": self.state,
            "counts": self.counts.as_json(),
            "calls": self.calls,
            "throttled": self.throttled,
            "seconds": round(self.seconds, 3),
            **plan,
        }


def prepare(
    *,
    store: Store,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    origin: Origin,
    date: dt.date | None = None,
    interval: tuple[dt.datetime, dt.datetime] | None = None,
    run_id: str | None = None,
) -> Run:
    """Stores the run with its resolved file, and what it has to list or send.

    run_id: from `new_run_id`, for a caller that is present in the run before it is there to be seen. date: local date of the data interval's start; `options.date` wins. interval: the data interval itself.

    Raises:
        BadOption: a dated prefix, place or window without a date, a pace above the migration's, a run to resume that cannot
            be, or one that is not what was approved. PlanChanged: what is failed is not what was approved. QuotaConflict: see there.
    """
    agree_on_pace(store, account=connection.account, configured=connection.calls_per_second)
    if options.resume is not None:
        return _resume(store, connection, migration, options, origin, run_id)
    asked = ask(
        connection=connection,
        migration=migration,
        options=options,
        origin=origin,
        date=date,
        interval=interval,
        run_id=run_id,
    )
    queues = asked.run.mode is Mode.FAILED and not options.dry_run
    if options.approve is not None:
        asked = _approved(store, asked)
    elif migration.require_approval and not options.dry_run:
        if origin.kind == "cli":
            raise BadOption(
                f"require_approval is set in the migration file of {migration.name!r}: make a plan with `vod-migrate plan FILE`, then "
                "run it with `vod-migrate run FILE --approve DIGEST`"
            )
        # What failed stays so until a person has approved to send it again.
        queues = False
    run = store.prepare_run(asked.run, spec_digest=migration.digest(), prefixes=asked.prefixes, whole=asked.whole)
    _keep_caps(store, run)
    if queues:
        store.queue_failed(run, prefixes=asked.narrowed)
    return run


def _approved(store: Store, asked: Asked) -> Asked:
    """A run that its plan allows, with the plan's whole digest.

    Raises:
        BadOption: it is not what was planned. PlanChanged: other objects are failed now, in mode failed.
    """
    plan = approved_plan(store, asked.run, asked.compared)
    before = store.same_origin(asked.run)
    if asked.run.mode is Mode.FAILED and not (before and store.left_count([before])):
        check_failed(store, asked.run, plan, prefixes=asked.narrowed)
    options = asked.run.options.model_copy(update={"approve": plan.digest})
    return replace(asked, run=replace(asked.run, options=options))


def _resume(
    store: Store,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    origin: Origin,
    run_id: str | None,
) -> Run:
    """A new run over the rest of an earlier one, with that one's file."""
    before = _belonging(store, connection, options.resume or "")
    if before.spec.require_approval or before.options.approve is not None:
        raise BadOption(
            f"resume: run {before.run_id} was bound to a plan; make a new one with `vod-migrate plan FILE` and approve it: it takes "
            "along what is left"
        )
    asked = Run(
        run_id=run_id or new_run_id(),
        account=before.account,
        region=before.region,
        migration=before.migration,
        bucket=before.bucket,
        mode=before.mode,
        options=taken_up(store, before, options),
        spec=before.spec,
        local_date=before.local_date,
        origin=origin.kind,
        dag_id=origin.dag_id,
        dag_run_id=origin.dag_run_id,
        task_group=(origin.task_group or "") if origin.kind == "airflow" else None,
    )
    check_pace(asked.spec, asked.options)
    retried = store.same_origin(asked)
    if retried is not None:
        return store.run(retried)
    if before.state == "running" and store.is_idle(before.run_id):
        finish(store=store, run_id=before.run_id)
        before = store.run(before.run_id)
    continues = scans_to_continue(store, before, migration)
    run = store.prepare_run(
        asked, spec_digest=store.spec_digest(before.run_id), prefixes=[], whole=False, continues=continues
    )
    _keep_caps(store, run)
    return run


def discover(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> None:
    """Lists the run's prefixes into pending results.

    Raises:
        SourceError: a prefix could not be listed; the others were. Interrupted: `stop` was set.
        BadOption: the run needs an approval that it does not have. Paused, Cancelled: somebody ended the run.
    """
    gate_of(store, store.run(run_id))
    run = working(store, connection, run_id)
    if run.stop_code in ASKED:
        raise stop_error(run.stop_code, run.stop_message)
    store.retry_failed_scans(run_id)
    with watched(store, run, stop) as halt:
        _discoverer(store, connection, run, halt, patience=0.0).run()


def register(
    *,
    store: Store,
    connection: Connection,
    run_id: str,
    slot: str,
    stop: threading.Event,
    patience: float = LISTING_PATIENCE_SECONDS,
) -> None:
    """Sends the run's pending results until its scans are closed and nothing is left.

    slot: this worker's place in the run, stable over its retries. patience: how long it waits for a source that cannot be
    reached, and that no discover task is listing, before the run goes on without it.

    Raises:
        BadSetting: the connection is another account's or region's than the run's.
        AccountStopped, AllRefused, CanaryFailed, ThresholdPassed: the run stops, the rest stays pending. Interrupted: `stop` was set.
        Paused, Cancelled: somebody, the migration's window or a brake ended the run.
        PlanChanged: the source is no longer what was approved, so nothing is sent. BadOption: nobody has approved anything.
    """
    from vod_migrate.register.client import RegisterMediaClient  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.lookups import Asked, Categories, Covers  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.sightings import Sightings  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.worker import Worker  # noqa: PLC0415 - slow SDK import

    may_send = gate_of(store, store.run(run_id))
    run = working(store, connection, run_id)
    if run.stop_code is not None:
        raise stop_error(run.stop_code, run.stop_message)
    agree_on_pace(store, account=connection.account, configured=connection.calls_per_second)
    rules = run.spec.register_
    halt = threading.Event()
    discoverer = _discoverer(store, connection, run, halt, patience=patience)
    Worker(
        store=store,
        run=run,
        client=RegisterMediaClient(connection, rules, connections=rules.threads),
        describer=Describer(
            run.spec,
            storage_address=connection.storage_address(run.bucket),
            lookups=Asked(
                categories=Categories(
                    connection, store=store, create=run.spec.describe.categories == "create", stop=halt
                ),
                covers=Covers(connection, run.bucket, stop=halt),
            ),
        ),
        slot=slot,
        stop=stop,
        halt=halt,
        grace=grace_seconds(),
        take_over=discoverer.take_over,
        may_send=may_send,
        looks=Sightings(connection, run.bucket, sizes=run.spec.source.listed, stop=stop),
    ).run()


def finish(*, store: Store, run_id: str) -> Summary:
    """Gives the run its verdict, from what is recorded."""
    run = store.run(run_id)
    body = store.plan_of(run_id)
    if body is not None and not (plan := Plan.from_json(body)).approved:
        return _planned(store, run, plan)
    if run.stop_code == errors.ThresholdPassed.__name__:
        store.settle_alone(run_id)
    store.drop_cap(run.account, API, run_scope(run_id))
    counts = store.counts(run_id)
    error = verdict(store, run, counts)
    if body is None and isinstance(error, Unfinished) and _plans_first(run):
        error = Unfinished("no plan was made, and nothing was sent; see why planning ended, and run it again")
    state = state_of(error)
    began = run.created_at or store.now()
    summary = Summary(
        run_id=run_id,
        state=state,
        counts=counts,
        seconds=((run.finished_at or store.now()) - began).total_seconds(),
        error=error,
    )
    store.finish_run(run_id, state=state, summary=summary.as_json())
    return summary


def _planned(store: Store, run: Run, plan: Plan) -> Summary:
    """The end of a run that only planned: nothing was sent, and that is no fault."""
    summary = Summary(
        run_id=run.run_id, state="planned", counts=counts_of(plan), seconds=plan.planning_seconds, plan=plan
    )
    store.finish_run(run.run_id, state=summary.state, summary=summary.as_json())
    return summary


def _plans_first(run: Run) -> bool:
    return run.options.dry_run or (run.spec.require_approval and run.options.approve is None)


def working(store: Store, connection: Connection, run_id: str) -> Run:
    """A run that goes on; one that had ended works again, because a task of it was cleared.

    Raises:
        BadOption: there is no such run. BadSetting: the connection is another account's or region's than the run's.
    """
    run = _belonging(store, connection, run_id)
    if run.state == "running":
        return run
    # A single task of a finished run was cleared: the run works again.
    store.reopen_run(run_id)
    _keep_caps(store, run)
    return store.run(run_id)


def _belonging(store: Store, connection: Connection, run_id: str) -> Run:
    try:
        run = store.run(run_id)
    except KeyError:
        raise BadOption(f"there is no run {run_id!r} in this database; see `vod-migrate status`") from None
    for what, ours, the_runs in (
        ("account", connection.account, run.account),
        ("region", connection.region, run.region),
    ):
        if ours != the_runs:
            raise BadSetting(
                f"run {run_id} belongs to {what} {the_runs!r}, but this connection names {ours!r}: use the run's own"
            )
    return run


def run_scope(run_id: str) -> str:
    """The name of a run's own pace."""
    return f"run:{run_id}"


def migration_scope(name: str) -> str:
    """The name of a migration's own pace."""
    return f"migration:{name}"


def _keep_caps(store: Store, run: Run) -> None:
    store.settle_migration_cap(run, API)
    if run.options.calls_per_second is not None:
        store.keep_cap(run.account, API, run_scope(run.run_id), run.options.calls_per_second)


def _discoverer(store: Store, connection: Connection, run: Run, stop: threading.Event, *, patience: float) -> Any:
    from vod_migrate.discover.scanning import Discoverer  # noqa: PLC0415 - slow SDK import
    from vod_migrate.discover.sources import source_pages  # noqa: PLC0415 - slow SDK import

    source = run.spec.source
    narrowed = ("",) if source.listed else (run.options.prefixes or source.prefixes)
    return Discoverer(
        store=store,
        run=run,
        selection=Selection(run.spec.select, modified_since=run.options.modified_since, prefixes=tuple(narrowed)),
        pages=source_pages(connection, run),
        stop=stop,
        patience=patience,
    )
