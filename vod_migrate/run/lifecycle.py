"""Discovers and registers: the two steps of a run that work side by side, and how their parts are wired."""

from __future__ import annotations

import threading
from typing import Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.describe.describer import Describer
from vod_migrate.discover.monitor import watched
from vod_migrate.discover.selection import Selection
from vod_migrate.plan.approval import check_gate
from vod_migrate.rate.limiter import agree_on_rate
from vod_migrate.results.run import Run
from vod_migrate.results.stop_code import ASKED, stop_error
from vod_migrate.results.store import Store
from vod_migrate.run.access import reopened
from vod_migrate.shutdown import grace_seconds

LISTING_PATIENCE_SECONDS = 900.0
"""How long a register task leaves an unreachable source to the retries of its discover task, which lie within 10 minutes."""


def discover(*, store: Store, connection: Connection, run_id: str, stop: threading.Event) -> None:
    """Lists the run's prefixes into pending results.

    Raises:
        SourceError: a prefix could not be listed; the others were. Interrupted: `stop` was set.
        BadOption: the run needs an approval that it does not have. Paused, Cancelled: somebody ended the run.
    """
    check_gate(store.run(run_id))
    run = reopened(store, connection, run_id)
    if run.stop_code in ASKED:
        raise stop_error(run.stop_code, run.stop_message)
    store.retry_failed_scans(run)
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
        AccountStopped, AllRefused, CanaryFailed, ThresholdPassed: the run stops, the rest stays pending. Interrupted: `stop` was set.
        Paused, Cancelled: somebody, the migration's window or `pause_after` ended the run.
        PlanChanged: the source is no longer what was approved, so nothing is sent. BadOption: nobody has approved anything.
    """
    from vod_migrate.describe.categories import Categories  # noqa: PLC0415 - slow SDK import
    from vod_migrate.describe.covers import Covers  # noqa: PLC0415 - slow SDK import
    from vod_migrate.describe.lookups import LiveLookups  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.client import RegisterMediaClient  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.media_check import MediaChecker  # noqa: PLC0415 - slow SDK import
    from vod_migrate.register.worker import Worker  # noqa: PLC0415 - slow SDK import

    check_gate(store.run(run_id))
    run = reopened(store, connection, run_id)
    if run.stop_code is not None:
        raise stop_error(run.stop_code, run.stop_message)
    agree_on_rate(store, account=connection.account, configured=connection.calls_per_second)
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
            lookups=LiveLookups(
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
        may_send=lambda: True,
        looks=MediaChecker(connection, run.bucket, sizes=run.spec.source.listed, stop=stop),
    ).run()


def _discoverer(store: Store, connection: Connection, run: Run, stop: threading.Event, *, patience: float) -> Any:
    from vod_migrate.discover.scanner import Scanner  # noqa: PLC0415 - slow SDK import
    from vod_migrate.discover.source import pages_of, playlists_of  # noqa: PLC0415 - slow SDK import

    source = run.spec.source
    narrowed = ("",) if source.listed else (run.options.prefixes or source.prefixes)
    return Scanner(
        store=store,
        run=run,
        selection=Selection(run.spec.select, modified_since=run.options.modified_since, prefixes=tuple(narrowed)),
        pages=pages_of(connection, run),
        holds_playlist=playlists_of(connection, run),
        stop=stop,
        patience=patience,
    )
