"""Looks at a run every second while it is listed, so that somebody who pauses or cancels it does not wait for a page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vod_migrate.errors import Interrupted, StoreError, VodMigrateError
from vod_migrate.results.run import Run
from vod_migrate.results.stop import stop_listing_reason
from vod_migrate.results.store import Store
from vod_migrate.shutdown import Timings

log = logging.getLogger(__name__)


@contextmanager
def watched(store: Store, run: Run, stop: threading.Event, timings: Timings) -> Iterator[threading.Event]:
    """Gives the event that ends listing: set with `stop`, and when the run must end.

    Raises:
        Paused, Cancelled: instead of the Interrupted that the event led to. BrakeReached: the run's minutes are over.
    """
    halt, ended = threading.Event(), threading.Event()
    reasons: list[VodMigrateError] = []

    def look() -> None:
        while not ended.is_set():
            if stop.wait(timings.signal):
                halt.set()
                return
            try:
                reason = stop_listing_reason(run, store.signal(run.run_id))
            except StoreError as error:
                log.debug("the run's state cannot be read: %s", error)
                continue
            if reason is not None:
                reasons.append(reason)
                halt.set()
                return

    threading.Thread(target=look, name="watch-listing", daemon=True).start()
    try:
        yield halt
    except Interrupted:
        if reasons:
            raise reasons[0] from None
        raise
    finally:
        ended.set()
