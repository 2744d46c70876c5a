"""Stores a run with its resolved file, and what it has to list or send."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.plan.approval import approved_plan, check_failed
from vod_migrate.rate.limiter import agree_on_rate
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run.caps import keep_caps
from vod_migrate.run.request import Origin, RunRequest, build_request
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

    run_id: from `new_run_id`, for a caller that is present in the run before it is there to be seen. date: local date of the data interval's start; `options.date` wins. interval: the data interval itself.

    Raises:
        BadOption: a dated prefix, place or window without a date, a pace above the migration's, a run to resume that cannot
            be, or one that is not what was approved. PlanChanged: what is failed is not what was approved. QuotaConflict: see there.
    """
    agree_on_rate(store, account=connection.account, configured=connection.calls_per_second)
    if options.resume is not None:
        return resume(store, connection, migration, options, origin, run_id)
    asked = build_request(
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
    keep_caps(store, run)
    if queues:
        store.queue_failed(run, prefixes=asked.narrowed)
    return run


def _approved(store: Store, asked: RunRequest) -> RunRequest:
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
