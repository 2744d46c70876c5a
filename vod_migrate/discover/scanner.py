"""One scan: list a prefix page by page from its cursor, select, and merge each page into the results."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.selection import Selection, storable
from vod_migrate.discover.source import Pages
from vod_migrate.errors import Interrupted, SourceUnavailable, StoreError, VodMigrateError
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, SelectedPage
from vod_migrate.results.session import Presence
from vod_migrate.results.store import Store
from vod_migrate.shutdown import Timings

log = logging.getLogger(__name__)


class Scanner:
    """Lists the open scans of one run."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        selection: Selection,
        pages: Pages,
        stop: threading.Event,
        patience: float,
        timings: Timings,
    ) -> None:
        """patience: seconds for which a worker that takes over leaves an unreachable source to a later try."""
        self._store = store
        self._run = run
        self._selection = selection
        self._pages = pages
        self._stop = stop
        self._patience = patience
        self._timings = timings
        self._first_trouble: dict[int, float] = {}

    def run(self) -> None:
        """Lists every open scan to its end; what another run, or another discoverer, is listing is waited for.

        Raises:
            SourceError, BadSetting: why the first prefix could not be listed, once the others are done.
            Interrupted: `stop` was set; each scan keeps its cursor.
        """
        errors: list[VodMigrateError] = []
        given_up: set[int] = set()
        with self._store.presence(self._run.run_id) as presence, self._showing_life(presence):
            while scans := [scan for scan in self._store.open_scans(self._run.run_id) if scan.scan_id not in given_up]:
                progressed = False
                with self._store.discovery_lock(self._run.run_id) as held:
                    for scan in scans if held else ():
                        try:
                            progressed |= self._scan(scan, self._stop)
                        except (Interrupted, StoreError):
                            raise
                        except VodMigrateError as error:
                            errors.append(error)
                            given_up.add(scan.scan_id)
                            if not isinstance(error, SourceUnavailable):
                                self._give_up(scan, error)
                if not progressed:
                    _check(self._stop)
                    self._stop.wait(self._timings.scan_lock)
        if errors:
            raise errors[0]

    def take_over(self, stop: threading.Event) -> None:
        """Lists what nobody lists: for a register worker without work, where no discover task is there.

        A prefix that cannot be listed now is left to a later try, for as long as a discover task may still be retried.
        """
        with self._store.discovery_lock(self._run.run_id) as held:
            if not held:
                return
            for scan in self._store.open_scans(self._run.run_id):
                try:
                    if self._scan(scan, stop):
                        log.info(
                            "prefix %r was listed by a register worker, since no discover task was there", scan.prefix
                        )
                except (Interrupted, StoreError):
                    raise
                except VodMigrateError as error:
                    log.warning("prefix %r cannot be listed: %s", scan.prefix, error)
                    first = self._first_trouble.setdefault(scan.scan_id, time.monotonic())
                    patient = time.monotonic() - first < self._patience
                    if not (isinstance(error, SourceUnavailable) and patient):
                        self._give_up(scan, error)

    def _give_up(self, scan: Scan, error: VodMigrateError) -> None:
        now = self._store.scan(scan.scan_id)
        if now is not None:
            self._store.close_scan(now, state="failed", code=type(error).__name__, error=str(error))

    def _scan(self, found: Scan, stop: threading.Event) -> bool:
        """Lists one prefix; False when another run is listing it."""
        _check(stop)
        with self._store.scan_lock(self._run, found) as held:
            if not held:
                return False
            # Read again under the lock: a predecessor may have moved the cursor, or ended the scan.
            scan = self._store.scan(found.scan_id)
            if scan is None:
                return True
            if scan.pages and scan.cursor is None:
                self._store.close_scan(scan, state="complete")
                return True
            for page in self._pages(scan, stop):
                _check(stop)
                listing = as_listing(page, self._selection)
                scan = self._store.merge_page(self._run, scan, listing)
                if scan.limited:
                    self._store.close_scan(scan, state="limited")
                    return True
            self._store.close_scan(scan, state="complete")
            return True

    @contextmanager
    def _showing_life(self, presence: Presence) -> Iterator[None]:
        """Signs of life from a thread of their own: a first page may take minutes (a manifest's copy, pages held for a folder)."""
        over = threading.Event()

        def show() -> None:
            while True:
                try:
                    presence.keep()
                    self._store.show_life(self._run.run_id)
                except StoreError as error:
                    log.warning("run %s could not show that it lives: %s", self._run.run_id, error)
                if over.wait(self._timings.life):
                    return

        thread = threading.Thread(target=show, name="life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(1.0)  # a database that is away must not hold up the end


def as_listing(page: ListedPage, selection: Selection) -> SelectedPage:
    """A page of the source after selection."""
    selected = selection.select(page.objects, playlists=page.playlists)
    return SelectedPage(
        keys=tuple(listed.key for listed in page.objects if storable(listed.key)),
        listed=len(page.objects) + len(page.broken) + page.rows,
        selected=selected.kept,
        left_out={**page.left_out, **selected.left_out},
        cursor=page.cursor,
        samples={**page.samples, **selected.samples},
        broken=page.broken,
        rows=page.rows,
    )


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise Interrupted("discovery was told to stop; it goes on at its cursor next time", code="interrupted")
