"""Discover and register: the two steps of a run that work side by side."""

from __future__ import annotations

import os
import socket
import threading

from vod_migrate.cloud.connection import Connection
from vod_migrate.discover.monitor import watched
from vod_migrate.metrics import Metrics
from vod_migrate.plan.approval import check_gate
from vod_migrate.rate.limiter import agree_on_rate
from vod_migrate.register.context import WorkerContext
from vod_migrate.register.halt import StopRequest
from vod_migrate.register.lease import Lease
from vod_migrate.register.ledger import Ledger
from vod_migrate.register.worker import Worker
from vod_migrate.results.process import this_process
from vod_migrate.results.recorder import Recorder
from vod_migrate.results.stop_code import ASKED, stop_error
from vod_migrate.results.store import Store
from vod_migrate.run.access import reopened
from vod_migrate.run.parts import Parts
from vod_migrate.shutdown import PRODUCTION, Timings, grace_seconds

LISTING_PATIENCE_SECONDS = 900.0
"""How long a register task leaves an unreachable source to the retries of its discover task, which come within 10 minutes."""


def discover(
    *,
    store: Store,
    connection: Connection,
    run_id: str,
    stop: threading.Event,
    metrics: Metrics | None = None,
    timings: Timings = PRODUCTION,
) -> None:
    """Lists the run's source into its queue. metrics: is told how many objects are listed.

    Raises:
        SourceError: a prefix could not be listed; the others were. Interrupted: `stop` was set.
        BadOption: the run needs an approval that it does not have. Paused, Cancelled: somebody ended the run.
    """
    check_gate(store.run(run_id))
    run = reopened(store, connection, run_id)
    if run.stop_code is not None and run.stop_code in ASKED:
        raise stop_error(run.stop_code, run.stop_message)
    store.retry_failed_scans(run)
    with watched(store, run, stop, timings) as halt:
        parts = Parts(store=store, connection=connection, run=run, stop=halt, timings=timings, receiver=metrics)
        parts.scanner(patience=0.0).run()


def register(
    *,
    store: Store,
    connection: Connection,
    run_id: str,
    slot: str,
    stop: threading.Event,
    patience: float = LISTING_PATIENCE_SECONDS,
    metrics: Metrics | None = None,
    timings: Timings = PRODUCTION,
) -> None:
    """Sends the run's work until its scans are closed and nothing is left.

    slot: this worker's place in the run, stable over its retries. patience: how long it waits for a source that cannot be
    reached, and that no discover task is listing, before it continues without it. metrics: is told what is sent and what is left.

    Raises:
        BadSetting: the connection belongs to another account or region than the run.
        AccountStopped, AllRefused, CanaryFailed, ThresholdPassed: the run stops, the rest stays pending. Interrupted: `stop` was set.
        Paused, Cancelled: somebody, the migration's window or `pause_after` ended the run.
        BadOption: nobody has approved the run.
    """
    check_gate(store.run(run_id))
    run = reopened(store, connection, run_id)
    if run.stop_code is not None:
        raise stop_error(run.stop_code, run.stop_message)
    agree_on_rate(store, account=connection.account, configured=connection.calls_per_second)
    halt = threading.Event()
    parts = Parts(store=store, connection=connection, run=run, stop=halt, timings=timings, receiver=metrics)
    name = f"{socket.gethostname()}:{os.getpid()}"
    lease = Lease(store.lease)
    place = store.take_place(run, slot=slot, host=this_process())
    context = WorkerContext(
        store=store,
        run=run,
        place=place,
        lease=lease,
        ledger=Ledger(Recorder(store, run, place), parts.metrics()),
        name=f"{name}/{slot}",
        client=parts.client(),
        describer=parts.describer(parts.lookups(create=run.spec.describe.categories == "create")),
        halt=StopRequest(halt),
        take_over=parts.scanner(patience=patience).take_over,
        check_media=parts.media_checker().check,
        verify=parts.verify,
        metrics=parts.metrics(),
        timings=timings,
    )
    Worker(context, stop=stop, grace=grace_seconds()).run()
