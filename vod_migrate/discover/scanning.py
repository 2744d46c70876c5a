"""One scan: list a prefix page by page from its cursor, select, and merge each page into the results."""

from __future__ import annotations

import logging
import threading

from vod_migrate.discover.selection import Selection
from vod_migrate.discover.sources import Pages
from vod_migrate.errors import Interrupted, SourceError, SourceUnavailable
from vod_migrate.results.rows import Listing, Run, Scan
from vod_migrate.results.store import Store

__all__ = ["Discoverer"]

log = logging.getLogger(__name__)

_LOCK_GLANCE_SECONDS = 1.0


class Discoverer:
    """Lists the open scans of one run."""

    def __init__(self, *, store: Store, run: Run, selection: Selection, pages: Pages, stop: threading.Event) -> None:
        self._store = store
        self._run = run
        self._selection = selection
        self._pages = pages
        self._stop = stop

    def run(self) -> None:
        """Lists every open scan to its end; one that another run is listing is waited for.

        Raises:
            SourceError: the first prefix that could not be listed, once the others are done.
            Interrupted: `stop` was set; each scan keeps its cursor.
        """
        errors: list[SourceError] = []
        given_up: set[int] = set()
        with self._store.presence(self._run.run_id):
            while scans := [scan for scan in self._store.open_scans(self._run.run_id) if scan.scan_id not in given_up]:
                progressed = False
                for scan in scans:
                    self._check()
                    try:
                        progressed |= self._scan(scan)
                    except SourceError as error:
                        errors.append(error)
                        given_up.add(scan.scan_id)
                        if not isinstance(error, SourceUnavailable):
                            self._give_up(scan, error)
                if not progressed:
                    self._stop.wait(_LOCK_GLANCE_SECONDS)
        if errors:
            raise errors[0]

    def take_over(self) -> None:
        """Lists what nobody lists: for a register worker without work. What cannot be listed now is given up."""
        for scan in self._store.open_scans(self._run.run_id):
            self._check()
            try:
                if self._scan(scan):
                    log.info(
                        "prefix %r was listed by a register worker, since no discover task was doing it", scan.prefix
                    )
            except SourceError as error:
                log.warning("prefix %r cannot be listed: %s", scan.prefix, error)
                self._give_up(scan, error)

    def _give_up(self, scan: Scan, error: SourceError) -> None:
        now = self._store.scan(scan.scan_id)
        if now is not None:
            self._store.close_scan(now, state="failed", code=type(error).__name__, error=str(error))

    def _scan(self, found: Scan) -> bool:
        """Lists one prefix; False when somebody else is listing it."""
        with self._store.scan_lock(self._run, found, wait=False) as held:
            if not held:
                return False
            # Read again under the lock: a predecessor may have moved the cursor, or ended the scan.
            scan = self._store.scan(found.scan_id)
            if scan is None:
                return True
            if scan.pages and scan.cursor is None:
                self._store.close_scan(scan, state="complete")
                return True
            for page in self._pages(scan):
                self._check()
                selected = self._selection.select(page.objects, playlists=page.playlists)
                listing = Listing(
                    keys=tuple(listed.key for listed in page.objects),
                    selected=selected.kept,
                    left_out={**page.left_out, **selected.left_out},
                    cursor=page.cursor,
                    samples={**page.samples, **selected.samples},
                    broken=page.broken,
                    rows=page.rows,
                )
                scan = self._store.merge_page(self._run, scan, listing)
                if scan.limited:
                    self._store.close_scan(scan, state="limited")
                    return True
            self._store.close_scan(scan, state="complete")
            return True

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted("discovery was told to stop; it goes on at its cursor next time", code="interrupted")
