"""The whole engine as four functions: prepare, discover, register, finish. Each may be repeated.

The command line runs them in one process, Airflow as four kinds of tasks; neither knows more than this face.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from dataclasses import dataclass
from typing import Any, Literal

from vod_migrate import errors
from vod_migrate.connection import Connection
from vod_migrate.dates import interval_facts, render, settled
from vod_migrate.describe import Describer
from vod_migrate.discover.selection import Selection
from vod_migrate.discover.watching import watched
from vod_migrate.ending import ASKED, stop_error
from vod_migrate.errors import (
    BadOption,
    BadSetting,
    VodMigrateError,
)
from vod_migrate.register.quota import API, agree_on_pace
from vod_migrate.results.rows import Counts, Run
from vod_migrate.results.store import Store
from vod_migrate.resuming import scans_to_continue, taken_up
from vod_migrate.spec import Migration, Mode, RunOptions
from vod_migrate.stopping import grace_seconds
from vod_migrate.verdict import state_of, verdict

__all__ = [
    "Origin",
    "Summary",
    "discover",
    "finish",
    "migration_scope",
    "new_run_id",
    "prepare",
    "register",
    "run_scope",
]


LISTING_PATIENCE_SECONDS = 900.0
"""How long a register task leaves an unreachable source to the retries of its discover task, which lie within 10 minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Who started a run. In Airflow the three ids together: a retry of the same task finds the same run."""

    kind: Literal["cli", "airflow"] = "cli"
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_group: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """How a run ended."""

    run_id: str
    state: str
    counts: Counts
    seconds: float
    error: VodMigrateError | None = None

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
        return {
            "run_id": self.run_id,
            "state": self.state,
            "counts": self.counts.as_json(),
            "calls": self.calls,
            "throttled": self.throttled,
            "seconds": round(self.seconds, 3),
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
        BadOption: a dated prefix, place or window without a date, a pace above the migration's, or a run to resume that cannot
            be. QuotaConflict: see there.
    """
    agree_on_pace(store, account=connection.account, configured=connection.calls_per_second)
    if options.resume is not None:
        return _resume(store, connection, migration, options, origin, run_id)
    _check_pace(migration, options)
    if options.modified_since is not None and options.modified_since.tzinfo is None:
        options = options.model_copy(update={"modified_since": options.modified_since.replace(tzinfo=migration.zone)})
    local_date = options.date or date
    listing = options.mode is not Mode.FAILED
    narrowed = options.prefixes is not None or (options.date is not None and migration.source.dated)
    prefixes = _prefixes(migration, options, local_date, interval) if listing or narrowed else []
    stored = settled(migration, date=local_date, given=options.date is not None, interval=interval, listing=listing)
    if listing and not migration.source.listed:
        # One scan reads the whole file; its rows are narrowed as they come.
        if options.prefixes:
            options = options.model_copy(update={"prefixes": tuple(prefixes)})
        elif migration.source.inventory is not None:
            within = stored.source.model_copy(update={"prefixes": tuple(prefixes)})
            stored = stored.model_copy(update={"source": within})
        kind = "manifest" if migration.source.manifest is not None else "inventory"
        prefixes = [f"{kind} {stored.source.place}"]
    asked = Run(
        run_id=run_id or new_run_id(),
        account=connection.account,
        region=connection.region,
        migration=migration.name,
        bucket=migration.source.bucket,
        mode=options.mode,
        options=options,
        spec=stored,
        local_date=local_date,
        origin=origin.kind,
        dag_id=origin.dag_id,
        dag_run_id=origin.dag_run_id,
        task_group=(origin.task_group or "") if origin.kind == "airflow" else None,
    )
    dated = options.modified_since is not None or migration.select.windowed
    whole = migration.source.listed and options.limit is None and not dated
    run = store.prepare_run(asked, spec_digest=migration.digest(), prefixes=prefixes if listing else [], whole=whole)
    _keep_caps(store, run)
    if run.mode is Mode.FAILED:
        store.queue_failed(run, prefixes=prefixes if narrowed else None)
    return run


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
    _check_pace(asked.spec, asked.options)
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


def _check_pace(migration: Migration, options: RunOptions) -> None:
    cap = migration.register_.calls_per_second
    if cap is not None and options.calls_per_second is not None and options.calls_per_second > cap:
        raise BadOption(
            f"calls_per_second: {options.calls_per_second:g} is above the migration's own {cap:g}; a run can only go slower"
        )


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def discover(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> None:
    """Lists the run's prefixes into pending results.

    Raises:
        SourceError: a prefix could not be listed; the others were. Interrupted: `stop` was set.
        Paused, Cancelled: somebody ended the run.
    """
    run = _working(store, connection, run_id)
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
        AccountStopped, AllRefused, ThresholdPassed: the run stops, the rest stays pending. Interrupted: `stop` was set.
        Paused, Cancelled: somebody, the migration's window or a brake ended the run.
    """
    from vod_migrate.register.client import RegisterMediaClient  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.lookups import Asked, Categories, Covers  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.worker import Worker  # noqa: PLC0415 - slow SDK import

    run = _working(store, connection, run_id)
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
    ).run()


def finish(*, store: Store, run_id: str) -> Summary:
    """Gives the run its verdict, from what is recorded."""
    run = store.run(run_id)
    if run.stop_code == errors.ThresholdPassed.__name__:
        store.settle_alone(run_id)
    store.drop_cap(run.account, API, run_scope(run_id))
    counts = store.counts(run_id)
    error = verdict(store, run, counts)
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


def _working(store: Store, connection: Connection, run_id: str) -> Run:
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


def _prefixes(
    migration: Migration,
    options: RunOptions,
    date: dt.date | None,
    interval: tuple[dt.datetime, dt.datetime] | None,
) -> list[str]:
    facts = interval_facts(migration, date, interval if options.date is None else None)
    rendered = [render(prefix, facts, "prefix") for prefix in options.prefixes or migration.source.prefixes]
    return _disjoint(rendered)


def _disjoint(prefixes: list[str]) -> list[str]:
    """The prefixes without those inside another, so that no object is listed twice."""
    kept: list[str] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept
