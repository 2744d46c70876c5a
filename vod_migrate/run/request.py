"""A run as somebody asks for it, and how it is stored."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption
from vod_migrate.migration.interval import interval_variables, resolve
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.migration.prefixes import check_prefix
from vod_migrate.migration.templates import render
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import PlanRecord
from vod_migrate.results.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Who started a run. In Airflow the three ids together: a retry of the same task finds the same run.

    by: as reports name them; '' where nothing is stored.
    """

    by: str = ""
    kind: Literal["cli", "airflow"] = "cli"
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_group: str | None = None

    def fields(self) -> dict[str, Any]:
        """What its run keeps of it."""
        group = (self.task_group or "") if self.kind == "airflow" else None
        return {"origin": self.kind, "dag_id": self.dag_id, "dag_run_id": self.dag_run_id, "task_group": group}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRequest:
    """A run as somebody asks for it. prefixes: what it lists; whole: each to its end; fixed: what the file selects depends on no date."""

    run: Run
    prefixes: tuple[str, ...]
    whole: bool
    fixed: bool


def compared(run: Run, prefixes: Sequence[str]) -> dict[str, object]:
    """What must be the same, besides the settings, for a plan to hold for a run. prefixes: what it lists."""
    options = run.options
    return {
        "mode": run.mode.value,
        "limit": options.limit,
        "modified_since": None if options.modified_since is None else options.modified_since.isoformat(),
        "codes": None if options.codes is None else sorted(options.codes),
        "calls_per_second": options.calls_per_second,
        "max_objects": options.max_objects,
        "max_calls": options.max_calls,
        "max_minutes": options.max_minutes,
        "ignore_window": options.ignore_window,
        "prefixes": list(prefixes or options.prefixes or ()),
        "rows under": None if run.spec.source.listed else list(options.prefixes or ()),
        "what earlier runs left": "is sent, too" if run.adopts else "stays",
    }


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def build_request(
    *,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    origin: Origin,
    date: dt.date | None = None,
    interval: tuple[dt.datetime, dt.datetime] | None = None,
    run_id: str | None = None,
) -> RunRequest:
    """What a run, or a plan of it, would be; the arguments are those of `prepare`. Touches no database.

    Raises:
        BadOption: see `prepare`.
    """
    check_rate(migration, options)
    if options.modified_since is not None and options.modified_since.tzinfo is None:
        options = options.model_copy(update={"modified_since": options.modified_since.replace(tzinfo=migration.zone)})
    local_date = options.date or date
    listing = options.mode is not Mode.FAILED
    narrowed = options.prefixes is not None or (options.date is not None and migration.source.dated)
    prefixes = _prefixes(migration, options, local_date, interval) if listing or narrowed else []
    if prefixes and not listing:
        # As text, so that whoever plans or queues later need not know the date.
        options = options.model_copy(update={"prefixes": tuple(prefixes)})
    resolved = resolve(migration, date=local_date, given=options.date is not None, interval=interval, listing=listing)
    if listing and not migration.source.listed:
        # One scan reads the whole file; its rows are narrowed as they come.
        if options.prefixes:
            options = options.model_copy(update={"prefixes": tuple(prefixes)})
        elif migration.source.inventory is not None:
            within = resolved.source.model_copy(update={"prefixes": tuple(prefixes)})
            resolved = resolved.model_copy(update={"source": within})
        kind = "manifest" if migration.source.manifest is not None else "inventory"
        prefixes = [f"{kind} {resolved.source.location}"]
    run = Run(
        run_id=run_id or new_run_id(),
        account=connection.account,
        region=connection.region,
        migration=migration.name,
        bucket=migration.source.bucket,
        mode=options.mode,
        options=options,
        spec=resolved,
        spec_digest=migration.digest(),
        local_date=local_date,
        **origin.fields(),
    )
    dated = options.modified_since is not None or migration.select.windowed
    whole = migration.source.listed and options.limit is None and not dated
    return RunRequest(
        run=run,
        prefixes=tuple(prefixes) if listing else (),
        whole=whole,
        fixed=not (migration.source.dated or migration.select.follows_interval),
    )


def stored(store: Store, asked: RunRequest, *, gate: Gate, plan: PlanRecord | None = None) -> Run:
    """Stores a run as it was asked for. gate: of its queue; plan: what it was approved by."""
    return store.prepare_run(
        replace(asked.run, gate=gate),
        prefixes=asked.prefixes,
        whole=asked.whole,
        leftovers=asked.run.adopts,
        fixed=asked.fixed,
        plan=plan,
    )


def check_rate(migration: Migration, options: RunOptions) -> None:
    """Checks that a run's own rate is not above its migration's.

    Raises:
        BadOption: it does not.
    """
    cap = migration.register_.calls_per_second
    if cap is not None and options.calls_per_second is not None and options.calls_per_second > cap:
        raise BadOption(
            f"calls_per_second: {options.calls_per_second:g} is above the migration's own {cap:g}; a run can only lower the rate"
        )


def _prefixes(
    migration: Migration,
    options: RunOptions,
    date: dt.date | None,
    interval: tuple[dt.datetime, dt.datetime] | None,
) -> list[str]:
    facts = interval_variables(migration, date, interval if options.date is None else None)
    rendered = [render(prefix, facts, "prefix") for prefix in options.prefixes or migration.source.prefixes]
    try:
        return _disjoint([check_prefix(prefix) for prefix in rendered])
    except ValueError as error:
        raise BadOption(f"prefixes: {error}") from None


def _disjoint(prefixes: list[str]) -> list[str]:
    """The prefixes without those inside another, so that no object is listed twice."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept
