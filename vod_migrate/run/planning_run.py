"""Plans as the command line and Airflow make and decide them: plan, plan_run, plan_to_approve, decide.

From the command line a plan is a run of its own, in the state `planned`. In Airflow a run plans, waits in that state for a
person, and then works on exactly what it planned.
"""

from __future__ import annotations

import threading

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.plan.digest import counts_of, stored_body
from vod_migrate.plan.dry_lookups import DryLookups
from vod_migrate.plan.estimate import planned_rate
from vod_migrate.plan.model import Decision, Plan
from vod_migrate.plan.planner import Planner, PlanRequest
from vod_migrate.results.scan import Scan
from vod_migrate.results.store import Store
from vod_migrate.run.access import reopened
from vod_migrate.run.parts import Parts
from vod_migrate.run.request import Origin, RunRequest, build_request
from vod_migrate.shutdown import Timings


def plan(
    *, store: Store, connection: Connection, migration: Migration, options: RunOptions, stop: threading.Event
) -> Plan:
    """What `vod-migrate run` would do with the same arguments. Saved as a run in the state `planned` once it is complete.

    Raises:
        BadOption: see `engine.prepare`. SourceError: the source cannot be listed to its end.
        AccountStopped: a category or cover may not be looked up. Interrupted: `stop` was set; nothing is left behind.
    """
    asked = build_request(connection=connection, migration=migration, options=_plain(options), origin=Origin())
    scans = [Scan(scan_id=position, prefix=prefix, whole=asked.whole) for position, prefix in enumerate(asked.prefixes)]
    parts = Parts(store=store, connection=connection, run=asked.run, stop=stop, timings=Timings())
    return _make(parts, asked, scans, spec_digest=migration.digest())


def plan_run(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> Plan:
    """Plans a run that was prepared; it then waits in the state `planned`. What was approved before stays as it is.

    Raises:
        As `plan`; a plan that is interrupted leaves the run as it was.
    """
    saved = _saved(store, run_id)
    if saved is not None and saved.approved:
        return saved
    with store.presence(run_id):
        run = reopened(store, connection, run_id)
        store.show_life(run_id)
        scans = store.scans_to_plan(run_id)
        asked = RunRequest(
            run=run,
            prefixes=tuple(scan.prefix for scan in scans),
            whole=all(scan.whole for scan in scans),
            narrowed=run.options.prefixes if run.mode is Mode.FAILED else None,
        )
        parts = Parts(store=store, connection=connection, run=run, stop=stop, timings=Timings())
        return _make(parts, asked, scans, spec_digest="")


def plan_to_approve(store: Store, run_id: str) -> Plan | None:
    """The plan that a person must be asked about; None where there is nothing to ask.

    Nothing is asked of a dry run, of a run that names a plan which was approved before, and where nothing would be sent: then
    the run goes on, and stops if it finds more than that.

    Raises:
        BadOption: no plan was made.
    """
    run = store.run(run_id)
    if run.options.dry_run or run.options.approve is not None:
        return None
    saved = _saved(store, run_id)
    if saved is None:
        raise BadOption(f"run {run_id} has made no plan: clear the task `plan`")
    if saved.approved:
        return None
    if saved.work == 0:
        decide(store, run_id, approved=True, by="nobody, since nothing would be sent")
        return None
    return saved


def decide(store: Store, run_id: str, *, approved: bool, by: str) -> None:
    """What a person said to the plan. by: their name, '' where the time to answer ran out.

    The run begins to work on it, or ends without sending anything.
    """
    run = store.run(run_id)
    decision = Decision(approved=approved, by=by, at=store.now()).model_dump(mode="json")
    if approved:
        store.approve_plan(run, decision, prefixes=run.options.prefixes if run.mode is Mode.FAILED else None)
    else:
        who = f"rejected by {by}" if by else f"nobody answered within {run.spec.approval_hours or 0:g} hours"
        store.reject_plan(run_id, decision, message=f"the plan was not approved ({who}), so nothing was sent")


def _make(parts: Parts, asked: RunRequest, scans: list[Scan], *, spec_digest: str) -> Plan:
    store, run = parts.store, parts.run
    lookups = DryLookups(parts.lookups(create=False), makes=run.spec.describe.categories == "create")
    made = Planner(
        store=store,
        question=PlanRequest(run=run, scans=tuple(scans), narrowed=asked.narrowed, compared=asked.compared),
        selection=parts.selection(),
        pages=parts.pages(),
        describer=parts.describer(lookups),
        lookups=lookups,
        rate=planned_rate(store, parts.connection, run),
        stop=parts.stop,
        window=run.window,
    ).make()
    body = stored_body(made.plan)
    summary = {
        "run_id": run.run_id,
        "state": "planned",
        "counts": counts_of(made.plan).as_json(),
        "calls": 0,
        "throttled": 0,
        "seconds": made.plan.planning_seconds,
    }
    store.save_plan(run, made.scans, spec_digest=spec_digest, digest=made.plan.digest, body=body, summary=summary)
    return Plan.from_json(body)


def _plain(options: RunOptions) -> RunOptions:
    """The options of the run that is planned."""
    return options.model_copy(update={"dry_run": False, "approve": None})


def _saved(store: Store, run_id: str) -> Plan | None:
    body = store.plan_of(run_id)
    return None if body is None else Plan.from_json(body)
