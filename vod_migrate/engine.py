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
from vod_migrate.errors import (
    BadInput,
    BadOption,
    BadSetting,
    RegisterError,
    RunStopped,
    SourceError,
    Unfinished,
    VodMigrateError,
)
from vod_migrate.register.quota import API, agree_on_pace
from vod_migrate.results.rows import Counts, Run
from vod_migrate.results.store import Store
from vod_migrate.spec import Migration, Mode, RunOptions

__all__ = ["Origin", "Summary", "discover", "finish", "new_run_id", "prepare", "register"]


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
        BadOption: a dated prefix, place or window without a date, or a pace above the migration's. QuotaConflict: see there.
    """
    agree_on_pace(store, account=connection.account, configured=connection.calls_per_second)
    cap = migration.register_.calls_per_second
    if cap is not None and options.calls_per_second is not None and options.calls_per_second > cap:
        raise BadOption(
            f"calls_per_second: {options.calls_per_second:g} is above the migration's own {cap:g}; a run can only go slower"
        )
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
    if run.mode is Mode.FAILED:
        store.queue_failed(run, prefixes=prefixes if narrowed else None)
    return run


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def discover(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> None:
    """Lists the run's prefixes into pending results.

    Raises:
        SourceError: a prefix could not be listed; the others were. Interrupted: `stop` was set.
    """
    run = _working(store, connection, run_id)
    store.retry_failed_scans(run_id)
    _discoverer(store, connection, run, stop, patience=0.0).run()


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
    """
    from vod_migrate.register.client import RegisterMediaClient  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.lookups import Asked, Categories, Covers  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.sightings import Sightings  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.worker import Worker  # noqa: PLC0415 - slow SDK import

    run = _working(store, connection, run_id)
    if run.stop_code is not None:
        raise _stopped(run.stop_code, run.stop_message)
    agree_on_pace(store, account=connection.account, configured=connection.calls_per_second)
    rules = run.spec.register_
    discoverer = _discoverer(store, connection, run, stop, patience=patience)
    Worker(
        store=store,
        run=run,
        client=RegisterMediaClient(connection, rules, connections=rules.threads),
        describer=Describer(
            run.spec,
            storage_address=connection.storage_address(run.bucket),
            lookups=Asked(
                categories=Categories(
                    connection, store=store, create=run.spec.describe.categories == "create", stop=stop
                ),
                covers=Covers(connection, run.bucket, stop=stop),
            ),
        ),
        slot=slot,
        stop=stop,
        cap=_keep_cap(store, run),
        take_over=discoverer.take_over,
        looks=Sightings(connection, run.bucket, sizes=run.spec.source.listed, stop=stop),
    ).run()


def finish(*, store: Store, run_id: str) -> Summary:
    """Gives the run its verdict, from what is recorded."""
    run = store.run(run_id)
    if run.stop_code == errors.ThresholdPassed.__name__:
        store.settle_alone(run_id)
    if run.options.calls_per_second is not None:
        store.drop_cap(run.account, API, _run_scope(run))
    counts = store.counts(run_id)
    error = _verdict(store, run, counts)
    state = "succeeded"
    if isinstance(error, Unfinished):
        state = "interrupted"
    elif isinstance(error, SourceError | BadInput):
        state = "failed"
    elif error is not None:
        state = "stopped"
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


def _verdict(store: Store, run: Run, counts: Counts) -> VodMigrateError | None:
    if run.stop_code is not None:
        return _stopped(run.stop_code, run.stop_message)
    broken = store.scan_errors(run.run_id)
    if broken:
        prefix, code, message = broken[0]
        more = f" ({len(broken)} prefixes could not be listed)" if len(broken) > 1 else ""
        told = f"prefix {prefix!r}: {message}{more}" if run.spec.source.listed else message
        return _named(code, SourceError)(told)
    left = counts.pending + counts.unknown
    if store.open_scans(run.run_id):
        return Unfinished(f"the listing did not end and {left:,} objects are left; the next run goes on with them")
    if left:
        return Unfinished(f"{left:,} objects are left to send; the next run goes on with them")
    return None


def _stopped(code: str, message: str | None) -> VodMigrateError:
    kind = _named(code, RunStopped)
    text = message or code
    return kind(text, code=code) if issubclass(kind, RegisterError | RunStopped) else kind(text)


def _named(code: str | None, fallback: type[VodMigrateError]) -> type[VodMigrateError]:
    kind = getattr(errors, code or "", None)
    return kind if isinstance(kind, type) and issubclass(kind, VodMigrateError) else fallback


def _working(store: Store, connection: Connection, run_id: str) -> Run:
    run = store.run(run_id)
    for what, ours, the_runs in (
        ("account", connection.account, run.account),
        ("region", connection.region, run.region),
    ):
        if ours != the_runs:
            raise BadSetting(
                f"run {run_id} belongs to {what} {the_runs!r}, but this connection names {ours!r}: use the run's own"
            )
    if run.state == "running":
        return run
    # A single task of a finished run was cleared: the run works again.
    store.reopen_run(run_id)
    return store.run(run_id)


def _run_scope(run: Run) -> str:
    return f"run:{run.run_id}"


def _keep_cap(store: Store, run: Run) -> str | None:
    if run.options.calls_per_second is not None:
        store.keep_cap(run.account, API, _run_scope(run), run.options.calls_per_second)
        return _run_scope(run)
    cap = run.spec.register_.calls_per_second
    if cap is None:
        return None
    scope = f"migration:{run.migration}"
    store.keep_cap(run.account, API, scope, cap)
    return scope


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
