"""Stores a run with its resolved file, and what it has to list or send."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.plan.approval import approved_plan
from vod_migrate.rate.limiter import agree_on_rate
from vod_migrate.results.actions import Deed
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import PlanRecord
from vod_migrate.results.store import Store
from vod_migrate.run.request import Origin, RunRequest, build_request, compared, stored
from vod_migrate.run.resume import resume


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

    run_id: from `new_run_id`, for a caller that must know it before. date: local date of the data interval's start; `options.date` wins. interval: the data interval itself.

    Raises:
        BadOption: a dated prefix, place or window without a date, a rate above the migration's, a run to resume that cannot
            be, or one that is not what was approved. QuotaConflict: see there.
    """
    agree_on_rate(store, account=connection.account, configured=connection.calls_per_second)
    if options.resume is not None:
        run = resume(store, connection, migration, options, origin, run_id)
        if origin.by:
            store.note_run_action(run, Deed.RESUMED, by=origin.by, detail=options.resume, once=True)
        return run
    asked = build_request(
        connection=connection,
        migration=migration,
        options=options,
        origin=origin,
        date=date,
        interval=interval,
        run_id=run_id,
    )
    gate, plan = Gate.OPEN, None
    if options.approve is not None:
        asked, plan = _approved(store, asked, by=origin.by)
        gate = Gate.APPROVING if plan is not None else Gate.PLANNING
    elif options.dry_run or migration.require_approval:
        if origin.kind == "cli" and not options.dry_run:
            raise BadOption(
                f"require_approval is set in the migration file of {migration.name!r}: make a plan with `vod-migrate plan FILE`, then "
                "run it with `vod-migrate run FILE --approve DIGEST`"
            )
        gate = Gate.PLANNING
    run = stored(store, asked, gate=gate, plan=plan)
    store.keep_caps(run)
    store.queue_failed(run)
    if origin.by:
        store.note_run_action(run, Deed.STARTED, by=origin.by, detail=f"mode {run.mode.value}", once=True)
        if plan is not None:
            store.note_run_action(
                run, Deed.APPROVED, by=plan.decided_by or origin.by, detail=plan.digest[:12], once=True
            )
    return run


def _approved(store: Store, asked: RunRequest, *, by: str) -> tuple[RunRequest, PlanRecord | None]:
    """A run that its plan allows, with the plan's whole digest, and the plan.

    In Airflow a run of a migration that needs an approval goes by a stored yes: where nobody has decided about the plan, the run plans
    anew and asks, and there is no plan yet. From the command line whoever has the database may decide, and is named with the plan.

    Raises:
        BadOption: it is not what was planned, or somebody has rejected the plan.
    """
    plan = approved_plan(store, asked.run, compared(asked.run, asked.prefixes))
    if plan.approved is None and asked.run.origin == "airflow" and asked.run.spec.require_approval:
        options = asked.run.options.model_copy(update={"approve": None})
        return replace(asked, run=replace(asked.run, options=options)), None
    if plan.approved is None:
        store.decide_plan(plan.run_id, approved=True, by=by)
    options = asked.run.options.model_copy(update={"approve": plan.digest})
    return replace(asked, run=replace(asked.run, options=options)), plan
