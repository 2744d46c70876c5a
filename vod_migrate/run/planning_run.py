"""Plans: made from the command line or in a DAG, and decided about.

From the command line a plan is a run of its own, in the state `planned`. In Airflow a run plans, waits in that state for a person, and then
sends exactly what it planned. Either way the plan is what stands in the run's queue, which is held back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from vod_migrate.cloud.connection import Connection
from vod_migrate.describe.describer import Lookups
from vod_migrate.errors import BadOption, StoreError
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.plan.digest import counts_of, stored_body
from vod_migrate.plan.dry_lookups import DryLookups
from vod_migrate.plan.estimate import planned_rate
from vod_migrate.plan.model import Plan
from vod_migrate.plan.planner import Planner
from vod_migrate.results.actions import Deed
from vod_migrate.results.run import Gate
from vod_migrate.results.scan import ScanKind
from vod_migrate.results.store import Store
from vod_migrate.run.access import reopened
from vod_migrate.run.parts import Parts
from vod_migrate.run.request import Origin, build_request, compared, stored
from vod_migrate.run.settle import Summary


def plan(
    *, store: Store, connection: Connection, migration: Migration, options: RunOptions, stop: threading.Event
) -> Plan:
    """What `vod-migrate run` would do with the same arguments. Saved as a run in the state `planned` once it is complete.

    Raises:
        BadOption: see `prepare`. SourceError: the source cannot be listed to its end.
        AccountStopped: a category or cover may not be looked up. Interrupted: `stop` was set; nothing is left behind.
    """
    plain = options.model_copy(update={"dry_run": False, "approve": None})
    asked = build_request(connection=connection, migration=migration, options=plain, origin=Origin())
    run = stored(store, asked, gate=Gate.PLANNING)
    try:
        store.queue_failed(run)
        return _make(Parts(store=store, connection=connection, run=run, stop=stop), asked.prefixes)
    except BaseException:
        with suppress(StoreError):
            store.forget_run(run)
        raise


def plan_run(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> Plan:
    """Plans a run that was prepared; it then waits in the state `planned`. What was approved before stays as it is.

    Raises:
        As `plan`; a plan that is interrupted leaves the run as it was, and continues when it is called again.
    """
    record = store.plan_of(run_id)
    if record is not None and record.approved:
        return Plan.from_json(record.body)
    run = reopened(store, connection, run_id)
    if record is not None:
        run = store.plan_anew(run)
        store.queue_failed(run)
    store.retry_failed_scans(run)
    prefixes = [scan.prefix for scan in store.scans(run) if scan.kind in (ScanKind.PREFIX, ScanKind.ROWS)]
    return _make(Parts(store=store, connection=connection, run=run, stop=stop), prefixes)


def plan_to_approve(store: Store, run_id: str) -> Plan | None:
    """The plan that a person must be asked about; None where there is nothing to ask.

    Nothing is asked about a dry run, about a run that names a plan which was approved before, and where nothing would be sent.

    Raises:
        BadOption: no plan was made.
    """
    run = store.run(run_id)
    if run.options.dry_run or run.options.approve is not None:
        return None
    record = store.plan_of(run_id)
    if record is None:
        raise BadOption(f"run {run_id} has made no plan: clear the task `plan`")
    if record.approved:
        return None
    if not record.kept:
        raise BadOption(
            f"the list of what run {run_id} would send was deleted, because its plan was rejected or is old: clear the task `plan` to plan again"
        )
    saved = Plan.from_json(record.body)
    if saved.work == 0:
        decide(store, run_id, approved=True, by="nobody, because nothing would be sent")
        return None
    return saved


def decide(store: Store, run_id: str, *, approved: bool, by: str) -> None:
    """What a person decided about the plan. by: their name, '' where the time to answer ran out.

    The run lists once more and sends what it planned, or ends without sending anything.
    """
    run = store.run(run_id)
    who = f"rejected by {by}" if by else f"nobody answered within {run.spec.approval_hours or 0:g} hours"
    message = f"the plan was not approved ({who}), so nothing was sent"
    decided = store.decide_plan(run_id, approved=approved, by=by, message="" if approved else message)
    if decided and by:
        store.note_run_action(run, Deed.APPROVED if approved else Deed.REJECTED, by=by)
    if decided and approved:
        store.queue_failed(store.approve_run(run))


def _make(parts: Parts, prefixes: Sequence[str]) -> Plan:
    began, store, run = time.monotonic(), parts.store, parts.run
    parts.scanner(patience=0.0).run()
    lookups = DryLookups(parts.lookups(create=False), makes=run.spec.describe.categories == "create")
    made = Planner(
        store=store,
        run=run,
        compared=compared(run, prefixes),
        describer=parts.describer(Lookups(category=lookups.category, exists=lookups.exists)),
        lookups=lookups,
        rate=planned_rate(store, parts.connection, run),
        stop=parts.stop,
        began=began,
    ).make()
    body = stored_body(made)
    summary = Summary(run_id=run.run_id, state="planned", counts=counts_of(made), seconds=made.planning_seconds)
    store.save_plan(run, digest=made.digest, body=body, summary=summary.as_json())
    return Plan.from_json(body)
