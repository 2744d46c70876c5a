"""Lists what a run has to list: a page at a time from its cursor, select, and merge each page into the run's queue.

One at a time lists for a run, whoever holds its role `discover`. Somebody who has lost it, or finds a scan elsewhere than it left it (a
failover may forget a page), reads again where the scan stands.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from vod_migrate.discover.listing import Unchanged
from vod_migrate.discover.page import ListedPage
from vod_migrate.discover.prefix_pages import cursor_after
from vod_migrate.discover.selection import Selected, Selection, is_archived, sample_of, storable
from vod_migrate.discover.source import RunSource, check_stop
from vod_migrate.discover.stream_text import folder_of
from vod_migrate.discover.streams import is_playlist
from vod_migrate.errors import Interrupted, SourceError, SourceUnavailable, StoreError, VodMigrateError
from vod_migrate.metrics import RunMetrics
from vod_migrate.migration.options import Mode
from vod_migrate.results.claims import DISCOVER
from vod_migrate.results.process import this_process
from vod_migrate.results.run import Run
from vod_migrate.results.scan import SAMPLES, Leftover, Scan, ScanKind, SelectedPage
from vod_migrate.results.scans import ScanMoved
from vod_migrate.results.stop_code import source_code_of
from vod_migrate.results.store import Store
from vod_migrate.results.work import Place

log = logging.getLogger(__name__)

MOVED, DUPLICATE = ("moved", "looks_moved"), ("duplicate_content", "looks_duplicate")
"""Of an object that looks moved, and of one that looks like a copy: why it is held, and the hint about one that is taken all the same."""
_STATISTICS_AT = (1, 10, 100, 1000)
"""Pages of a listing after which the planner is told how much work there is: an autovacuum comes a minute late on a first night."""
MOST_MOVED = 100
"""How many such objects a run takes where the file does not say."""


class Scanner:
    """Lists the open scans of one run."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        selection: Selection,
        source: RunSource,
        metrics: RunMetrics,
        stop: threading.Event,
        patience: float,
    ) -> None:
        """Stop: ends the listing, and is set when somebody else lists.

        patience: for how many seconds a worker that takes over leaves an unreachable source to a later try.
        """
        self._store = store
        self._run = run
        self._selection = selection
        self._source = source
        self._metrics = metrics
        self._stop = stop
        self._patience = patience
        self._first_trouble: dict[int, float] = {}

    def run(self) -> None:
        """Lists every open scan to its end. Whoever listed for the run before is displaced.

        Raises:
            SourceError, BadSetting: why the first scan could not be brought to its end, once the others are done.
            Interrupted: `stop` was set, or another process lists now; each scan keeps its cursor.
        """
        errors: list[VodMigrateError] = []
        given_up: set[int] = set()
        with self._listing() as place:
            while scans := [scan for scan in self._store.open_scans(self._run) if scan.scan_id not in given_up]:
                scan = scans[0]
                if scan.kind is ScanKind.APPROVAL and given_up:
                    break
                try:
                    self._scan(place, scan, self._stop)
                except ScanMoved:
                    if not self._store.renew(place):
                        raise Interrupted("another process is listing for this run", code="replaced") from None
                except (Interrupted, StoreError):
                    raise
                except VodMigrateError as error:
                    errors.append(error)
                    given_up.add(scan.scan_id)
                    if not isinstance(error, SourceUnavailable):
                        self._give_up(place, scan, error)
        if errors:
            raise errors[0]

    def take_over(self, place: Place, stop: threading.Event) -> None:
        """Lists what nobody lists: for a register worker without work, where no discover task is there.

        A scan that cannot be brought to its end now is left to a later try, for as long as a discover task may still be retried.
        """
        if not self._store.take_role(self._run, place, DISCOVER):
            return
        try:
            for scan in self._store.open_scans(self._run):
                try:
                    self._scan(place, scan, stop)
                    log.info("%s was listed by a register worker, because there was no discover task", _name(scan))
                except ScanMoved:
                    return
                except (Interrupted, StoreError):
                    raise
                except VodMigrateError as error:
                    log.warning("%s cannot be listed: %s", _name(scan), error)
                    first = self._first_trouble.setdefault(scan.scan_id, time.monotonic())
                    patient = time.monotonic() - first < self._patience
                    if isinstance(error, SourceUnavailable) and patient:
                        return
                    self._give_up(place, scan, error)
        finally:
            self._store.drop_role(self._run, place, DISCOVER)

    def _give_up(self, place: Place, scan: Scan, error: VodMigrateError) -> None:
        now = self._store.scan(scan.scan_id)
        if now.state == "open":
            self._store.close_scan(self._run, place, now, state="failed", code=source_code_of(error), error=str(error))

    def _scan(self, place: Place, scan: Scan, stop: threading.Event) -> None:
        """Brings one scan to its end.

        Raises:
            ScanMoved
        """
        check_stop(stop)
        steps = {ScanKind.LEFTOVERS: self._take_leftovers, ScanKind.APPROVAL: self._hold_against_plan}
        after, state = steps.get(scan.kind, self._list)(place, scan, stop)
        self._store.close_scan(self._run, place, after, state=state)

    def _list(self, place: Place, scan: Scan, stop: threading.Event) -> tuple[Scan, str]:
        if scan.page_no and scan.cursor is None:
            return scan, "complete"
        for step in self._source.steps(self._store, scan, stop):
            check_stop(stop)
            before = scan
            if isinstance(step, Unchanged):
                cursor = cursor_after(step.ranges[-1].until)
                scan = self._store.pass_ranges(self._run, place, before, step.ranges, cursor=cursor)
            else:
                scan = self._store.merge_page(self._run, place, before, self._selected(step, scan, stop))
                if scan.page_no in _STATISTICS_AT:
                    self._store.refresh_statistics()
            self._metrics.count("listed", scan.listed - before.listed)
            if scan.limited:
                return scan, "limited"
        return scan, "complete"

    def _selected(self, page: ListedPage, scan: Scan, stop: threading.Event) -> SelectedPage:
        """A page of the source after selection."""
        selected = self._without_moved(self._selection.select(page), scan, stop)
        notes = selected.notes
        if selected.archived:
            # A lifecycle rule may have archived what was registered long ago: nobody has to restore that.
            archived = [found.key for found in selected.archived]
            registered = self._store.registered_among(self._run.account, self._run.bucket, archived)
            lacking = [found for found in selected.archived if found.key not in registered]
            size = sum(found.size or 0 for found in lacking)
            notes = replace(notes, to_restore=len(lacking), to_restore_bytes=size)
        keys = tuple(listed.key for listed in page.objects if storable(listed.key))
        return SelectedPage(
            keys=keys,
            listed=len(page.objects) + len(page.broken) + page.rows,
            selected=selected.kept,
            left_out={**page.left_out, **selected.left_out},
            cursor=page.cursor,
            samples={**page.samples, **selected.samples},
            broken=page.broken,
            fetched=page.fetched,
            notes=notes,
            until=page.until,
            digest=page.digest if len(keys) == len(page.objects) else None,
            folders=tuple(sorted({folder_of(key) for key in keys if is_playlist(key)})),
            due=self._selection.due(page.objects),
            again=any(reason in selected.left_out or hint in notes.hints for reason, hint in (MOVED, DUPLICATE)),
        )

    def _without_moved(self, selected: Selected, scan: Scan, stop: threading.Event) -> Selected:
        """Holds back what looks moved or copied: a renamed folder must not become as many new media unasked."""
        run, policy = self._run, self._run.spec.select.on_moved
        if run.mode is not Mode.NEW:
            return selected
        alike = self._store.alike_among(run.source_id, selected.kept)
        if not alike:
            return selected
        # The results learn only at the end of a listing what has left the bucket. Who says `register` need not know.
        living = set() if policy == "register" else {one.key for one in alike.values() if not one.gone}
        absent = self._source.absent(living, scan.prefix, stop) if living else frozenset()
        kind = {key: MOVED if one.gone or one.key in absent else DUPLICATE for key, one in alike.items()}
        free = len(alike) if policy == "register" else 0
        if policy is None:
            before = sum(
                each.notes.hints.get(hint, 0) for each in self._store.scans(run) for _, hint in (MOVED, DUPLICATE)
            )
            free = max(0, MOST_MOVED - before)
        found = [one.key for one in selected.kept if one.key in alike]
        held = frozenset(found[free:])
        hints, left_out, samples = dict(selected.notes.hints), dict(selected.left_out), dict(selected.samples)
        for reason, hint in (MOVED, DUPLICATE):
            keys = [key for key in found if kind[key] == (reason, hint)]
            # Who says `register` need not be told.
            taken = [] if policy == "register" else [key for key in keys if key not in held]
            for name, counts, some in ((hint, hints, taken), (reason, left_out, [key for key in keys if key in held])):
                if some:
                    counts[name] = len(some)
                    samples[name] = [sample_of(key) for key in some[:SAMPLES]]
        return replace(
            selected,
            kept=tuple(
                replace(one, same_as=alike[one.key].key) if one.key in alike else one
                for one in selected.kept
                if one.key not in held
            ),
            left_out=left_out,
            samples=samples,
            notes=replace(selected.notes, hints=hints),
        )

    def _take_leftovers(self, place: Place, scan: Scan, stop: threading.Event) -> tuple[Scan, str]:
        selection = leftover_selection(self._run, now=dt.datetime.now(dt.UTC), fixed=scan.whole)
        while found := self._store.leftover_page(self._run, scan):
            check_stop(stop)
            left_out = self._unfit(found, selection, stop)
            scan = self._store.merge_leftovers(self._run, place, scan, found, left_out=left_out)
        return scan, "complete"

    def _unfit(
        self, found: Sequence[Leftover], selection: Selection, stop: threading.Event
    ) -> dict[str, Sequence[str]]:
        """What this run's file leaves out, by reason: it may be another one than that of the run that left it."""
        parts = self._source.parts([one.object for one in found], stop)
        left_out: dict[str, list[str]] = {}
        for one in found:
            left = one.object
            if self._run.spec.select.archived == "restored" and is_archived(left):
                # Work does not keep whether there is a restored copy, which may have expired since.
                left = self._source.now(left, stop)
            reason = selection.reason(left, part=parts.get(left.key))
            if reason is not None:
                left_out.setdefault(reason, []).append(one.object.key)
        return dict(left_out)

    def _hold_against_plan(self, place: Place, scan: Scan, stop: threading.Event) -> tuple[Scan, str]:
        for other in self._store.scans(self._run, state="failed"):
            raise SourceError(
                f"nothing is sent, because {_name(other)} could not be listed and compared with the plan: {other.error}"
            )
        while (after := self._store.approve_page(self._run, place, scan)) is not None:
            check_stop(stop)
            scan = after
        return self._store.scan(scan.scan_id), "complete"

    @contextmanager
    def _listing(self) -> Iterator[Place]:
        """The role, renewed by a thread of its own: a first page may take minutes (a manifest's copy, pages held for a folder).

        Where another process takes the role, `stop` is set.
        """
        place = self._store.take_place(self._run, slot=DISCOVER, host=this_process())
        over, displaced = threading.Event(), threading.Event()

        def renew() -> None:
            while not over.wait(self._store.lease / 3):
                try:
                    if not self._store.renew(place):
                        displaced.set()
                        self._stop.set()
                        return
                except StoreError as error:
                    log.warning("the lease of the lister of run %s could not be renewed: %s", self._run.run_id, error)

        thread = threading.Thread(target=renew, name="lease-of-lister", daemon=True)
        thread.start()
        try:
            yield place
        except Interrupted as error:
            if displaced.is_set():
                raise Interrupted("another process is listing for this run", code="replaced") from error
            raise
        finally:
            over.set()
            thread.join(1.0)  # a database that is away must not hold up the end
            try:
                self._store.leave(self._run, place, patience=1.0)
            except StoreError as error:
                log.warning("the lease of the lister could not be released, so it expires by itself: %s", error)


def leftover_selection(run: Run, *, now: dt.datetime, fixed: bool) -> Selection:
    """What a run's file selects of what earlier runs left.

    fixed: neither prefixes nor edges of time follow the date, so all of them hold; otherwise an earlier date's objects belong to the
    migration as well, and only what stands before the date in a prefix counts.
    """
    source, rules = run.spec.source, run.spec.select
    if fixed:
        return Selection(rules, now=now, prefixes=source.prefixes)
    heads = tuple(prefix.partition("{{")[0] for prefix in source.prefixes) if source.listed else ("",)
    timeless = rules.model_copy(update={"modified_after": None, "modified_before": None})
    return Selection(timeless, now=now, prefixes=heads)


def _name(scan: Scan) -> str:
    return f"prefix {scan.prefix!r}" if scan.kind is ScanKind.PREFIX else scan.prefix or f"the {scan.kind.value}"
