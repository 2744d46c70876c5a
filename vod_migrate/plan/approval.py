"""Holds a run to the plan that was approved: the file and the options at once; the source when it is listed, see results/scans.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vod_migrate.errors import BadOption
from vod_migrate.plan.model import Plan
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import PlanRecord
from vod_migrate.results.store import Store

_MOST_NAMED = 3


def approved_plan(store: Store, run: Run, compared: Mapping[str, object]) -> PlanRecord:
    """The plan that a run's option `approve` names, if the run is what was planned. compared: as in `RunRequest`.

    Raises:
        BadOption: there is no such plan, it was rejected or is out of date, or it was made for another migration, file or options; says what
            differs.
    """
    beginning = run.options.approve or ""
    found = store.plans_of_digest(beginning)
    if not found:
        raise BadOption(
            f"approve: no plan in this results database has the digest {beginning}…: copy it from `vod-migrate plan FILE`, and name "
            "the same database"
        )
    if len(found) > 1:
        raise BadOption(f"approve: several plans have digests that begin with {beginning}: give more digits")
    record = found[0]
    plan = Plan.from_json(dict(record.body))
    if record.approved is False:
        raise BadOption(
            f"approve: {record.decided_by or 'nobody in time'} rejected the plan {plan.digest[:12]}: plan again"
        )
    if not record.kept:
        raise BadOption(
            f"approve: the list of what the plan {plan.digest[:12]} would send was deleted, because it is old or a newer plan of the same "
            "run took its place: plan again"
        )
    promised = run.spec.promised()
    planned = {name: value for name, value in plan.settings.items() if name in promised}
    differences = [
        *(
            f"the plan is for {what} {getattr(plan, what)!r}, this run for {getattr(run, what)!r}"
            for what in ("migration", "account", "region")
            if getattr(plan, what) != getattr(run, what)
        ),
        *_between("", plan.compared, compared),
        *_between("the file's ", dict(_flat(planned)), dict(_flat(promised))),
    ]
    if differences:
        shown = "; ".join(differences[:_MOST_NAMED])
        more = f"; and {len(differences) - _MOST_NAMED} more" if len(differences) > _MOST_NAMED else ""
        raise BadOption(
            f"approve: this is not the plan made on {plan.made_at:%Y-%m-%d %H:%M} ({plan.digest[:12]}). {shown}{more}. "
            "Plan again, or run with the file and the options of the plan"
        )
    return record


def check_gate(run: Run) -> None:
    """Refuses to list or send for a run that may only plan.

    Raises:
        BadOption: nobody has approved the run's plan, or it is to do nothing but plan.
    """
    if run.options.dry_run:
        raise BadOption(
            f"run {run.run_id} only makes a plan (dry_run) and sends nothing. Start another run without dry_run"
        )
    if run.gate is Gate.DISCARDED:
        raise BadOption(f"the queue of run {run.run_id} was discarded, or its plan was rejected: start another run")
    if run.gate is Gate.PLANNING:
        raise BadOption(
            f"require_approval is set, and the plan of run {run.run_id} is not approved, so nothing is sent. Clear the task "
            "`approve` to request approval again"
        )


def _between(what: str, planned: Mapping[str, object], now: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*planned, *now}):
        if planned.get(name) != now.get(name):
            yield f"{what}{name}: {_shown(planned.get(name))} in the plan, {_shown(now.get(name))} now"


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - a glance
