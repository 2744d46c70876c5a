"""Holds a run to the plan that was approved: the file and the options at once, the source as soon as it is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vod_migrate.errors import BadOption, PlanChanged, SourceError
from vod_migrate.migration.options import Mode
from vod_migrate.plan.model import Plan
from vod_migrate.results.fingerprint import NOTHING, added, fingerprint
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store

_MOST_NAMED = 3


def approved_plan(store: Store, run: Run, compared: Mapping[str, object]) -> Plan:
    """The plan that a run's option `approve` names, if the run is what was planned. compared: as in `Question`."""
    beginning = run.options.approve or ""
    found = [Plan.from_json(body) for body in store.plans_of_digest(beginning)]
    if not found:
        raise BadOption(
            f"approve: no plan in this results database has the digest {beginning}…: copy it from `vod-migrate plan FILE`, and name "
            "the same database"
        )
    if len(found) > 1:
        raise BadOption(f"approve: several plans have digests that begin with {beginning}: give more digits")
    plan = found[0]
    differences = [*_of_run(plan, run), *_of_options(plan, compared), *_of_settings(plan, run)]
    if differences:
        shown = "; ".join(differences[:_MOST_NAMED])
        more = f"; and {len(differences) - _MOST_NAMED} more" if len(differences) > _MOST_NAMED else ""
        raise BadOption(
            f"approve: this is not what was planned on {plan.made_at:%Y-%m-%d %H:%M} ({plan.digest[:12]}). {shown}{more}. "
            "Plan again, or run with the file and the options of the plan"
        )
    return plan


def check_failed(store: Store, run: Run, plan: Plan, *, prefixes: tuple[str, ...] | None) -> None:
    """Holds a plan of mode failed against what is failed now."""
    selected, prints = 0, NOTHING
    for part in store.failed_parts(run, prefixes=prefixes):
        selected += len(part)
        prints = added(prints, fingerprint(work.object for work in part))
    if prints != plan.fingerprint:
        raise PlanChanged(
            f"{_difference('failed objects', selected, plan.selected)}. {_WHAT_TO_DO}", code="plan_changed"
        )


def gate_of(store: Store, run: Run) -> Callable[[], bool]:
    """Says whether a run may send yet: at once where it needs no approval, else when its source is listed and is what was planned.

    The gate raises PlanChanged where the source is another one, and SourceError where it could not be listed to its end, so that
    nothing can be held against the plan.
    """
    if run.options.dry_run:
        raise BadOption(f"run {run.run_id} only plans (dry_run): nothing is sent. Start another one without it")
    if run.options.approve is not None:
        plans = store.plans_of_digest(run.options.approve)
        if not plans:
            raise BadOption(f"approve: the plan {run.options.approve}… is gone from the results database: plan again")
        return _Gate(store, run, Plan.from_json(plans[0])).may_send
    if not run.spec.require_approval:
        return lambda: True
    body = store.plan_of(run.run_id)
    plan = None if body is None else Plan.from_json(body)
    if plan is None or not plan.approved:
        raise BadOption(
            f"require_approval is set, and nobody has approved what run {run.run_id} would do: nothing is sent"
            + ("" if plan is None else ". Clear the task `approve` to be asked again")
        )
    return _Gate(store, run, plan).may_send


class _Gate:
    def __init__(self, store: Store, run: Run, plan: Plan) -> None:
        self._store = store
        self._run = run
        self._plan = plan
        self._open = False

    def may_send(self) -> bool:
        if not self._open:
            self._open = self._is_as_planned()
        return self._open

    def _is_as_planned(self) -> bool:
        if self._run.mode is Mode.FAILED:
            # What it sends was settled when it was queued.
            return True
        scans = self._store.scan_prints(self._run.run_id)
        if any(state == "open" for _, state, *_ in scans):
            return False
        for prefix, state, _, _, error in scans:
            if state == "failed":
                raise SourceError(
                    f"nothing is sent, because {prefix or 'the bucket'!r} could not be listed and held against the plan: {error}"
                )
        now = {prefix: (selected, prints or NOTHING) for prefix, _, selected, prints, _ in scans}
        planned = {one.prefix: (one.selected, one.fingerprint) for one in self._plan.prefixes}
        if now != planned:
            raise PlanChanged(f"{_changed(now, planned)}. {_WHAT_TO_DO}", code="plan_changed")
        return True


_WHAT_TO_DO = "Nothing was sent; what was found stays pending. Plan again, look at what is new, and approve that"


def _changed(now: Mapping[str, tuple[int, str]], planned: Mapping[str, tuple[int, str]]) -> str:
    told = _difference("objects", sum(count for count, _ in now.values()), sum(count for count, _ in planned.values()))
    prefixes = [prefix for prefix in now if now[prefix] != planned.get(prefix)]
    if len(now) == 1 or not prefixes:
        return told
    named = ", ".join(repr(prefix) for prefix in prefixes[:_MOST_NAMED])
    more = f" and {len(prefixes) - _MOST_NAMED:,} more" if len(prefixes) > _MOST_NAMED else ""
    return f"{told}; changed: {named}{more}"


def _difference(what: str, now: int, planned: int) -> str:
    if now == planned:
        return f"the source has as many {what} as planned ({now:,}), but not the same: keys, sizes, contents or rows have changed"
    word = "more" if now > planned else "fewer"
    return f"the source has {abs(now - planned):,} {word} {what} than planned ({now:,} instead of {planned:,})"


def _of_run(plan: Plan, run: Run) -> Iterator[str]:
    for what, planned, now in (
        ("migration", plan.migration, run.migration),
        ("account", plan.account, run.account),
        ("region", plan.region, run.region),
    ):
        if planned != now:
            yield f"the plan is for {what} {planned!r}, this run for {now!r}"


def _of_options(plan: Plan, compared: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*plan.compared, *compared}):
        planned, now = plan.compared.get(name), compared.get(name)
        if planned != now:
            yield f"{name}: {_shown(planned)} in the plan, {_shown(now)} now"


def _of_settings(plan: Plan, run: Run) -> Iterator[str]:
    planned, now = dict(_flat(plan.settings)), dict(_flat(run.spec.resolved()))
    for name in sorted({*planned, *now}):
        if planned.get(name) != now.get(name):
            yield f"the file's {name}: {_shown(planned.get(name))} in the plan, {_shown(now.get(name))} now"


def _flat(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - a glance
