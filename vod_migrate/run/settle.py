"""Gives a run its verdict, from what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vod_migrate.errors import Cancelled, SourceError, Unfinished, VodMigrateError
from vod_migrate.plan.digest import counts_of
from vod_migrate.plan.model import Plan
from vod_migrate.rate.limiter import API, run_scope
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import PlanRecord
from vod_migrate.results.stop_code import StopCode
from vod_migrate.results.store import Store
from vod_migrate.results.summary import RunCounts
from vod_migrate.run.verdict import state_of, verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How a run ended. plan: what it would do, where it only planned, and decision: who decided about that."""

    run_id: str
    state: str
    counts: RunCounts
    seconds: float
    error: VodMigrateError | None = None
    plan: Plan | None = None
    decision: Mapping[str, Any] | None = None

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
        plan = {} if self.plan is None else {"plan": {**self.plan.as_json(), "decision": self.decision}}
        return {
            "run_id": self.run_id,
            "state": self.state,
            "counts": self.counts.as_json(),
            "calls": self.calls,
            "throttled": self.throttled,
            "seconds": round(self.seconds, 3),
            **plan,
        }


def finish(*, store: Store, run_id: str) -> Summary:
    """Gives the run its verdict, from what is recorded."""
    run = store.run(run_id)
    plan = store.plan_of(run_id)
    summary = _planned(run, plan) if plan is not None and not plan.approved else _ended(store, run)
    store.finish_run(run, state=summary.state, summary=summary.as_json())
    return summary


def as_it_stands(store: Store, run: Run) -> Run:
    """A run as it stands now: one whose process was killed gets its verdict, which nobody else would give it before the next run."""
    if run.state == "running" and store.is_idle(run.run_id):
        finish(store=store, run_id=run.run_id)
        return store.run(run.run_id)
    return run


def _ended(store: Store, run: Run) -> Summary:
    """The end of a run that was to send something."""
    run_id = run.run_id
    if run.stop_code is StopCode.THRESHOLD:
        store.settle_alone(run)
    store.drop_cap(run.account, API, run_scope(run_id))
    counts = store.counts(run_id)
    error = verdict(store, run, counts)
    if run.gate is Gate.PLANNING and error is not None and not isinstance(error, (SourceError, Cancelled)):
        error = Unfinished("no plan was made, and nothing was sent; see why planning ended, then run it again")
    state = state_of(error)
    began = run.created_at or store.now()
    return Summary(
        run_id=run_id,
        state=state,
        counts=counts,
        seconds=((run.finished_at or store.now()) - began).total_seconds(),
        error=error,
    )


@contextmanager
def finishing(store: Store, run: Run, *, interrupted_by: type[VodMigrateError]) -> Iterator[None]:
    """Gives a run its verdict when what is done under it is over: interrupted, where such an error ended it."""
    try:
        yield
    except interrupted_by:
        summary = finish(store=store, run_id=run.run_id)
        store.finish_run(run, state="interrupted", summary={**summary.as_json(), "state": "interrupted"})
        raise
    finish(store=store, run_id=run.run_id)


def _planned(run: Run, record: PlanRecord) -> Summary:
    """The end of a run that only planned: nothing was sent, and that is no fault."""
    plan = Plan.from_json(dict(record.body))
    decision = None
    if record.decided_at is not None:
        decision = {"approved": record.approved, "by": record.decided_by, "at": record.decided_at.isoformat()}
    return Summary(
        run_id=run.run_id,
        state="planned",
        counts=counts_of(plan),
        seconds=plan.planning_seconds,
        plan=plan,
        decision=decision,
    )
