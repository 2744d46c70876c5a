"""Makes a plan: counts what the scans of a run found, and describes what stands in its queue, which is held back.

Nothing but the run's own queue is written, and objects are described block by block: memory does not grow with their number.
"""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vod_migrate.describe.describer import Describer
from vod_migrate.errors import Interrupted
from vod_migrate.media import FILES_PER_CALL, Batch, Entry, Rejected
from vod_migrate.migration.options import Mode
from vod_migrate.plan.cost import estimated_cost
from vod_migrate.plan.digest import digest_of
from vod_migrate.plan.dry_lookups import DryLookups
from vod_migrate.plan.estimate import expected_runs, most_seconds
from vod_migrate.plan.model import Batches, Plan, PlannedPrefix, PlannedRate
from vod_migrate.plan.samples import Failures, RepeatedTexts, SampleDescriptions, Sizes
from vod_migrate.register.batcher import Batcher
from vod_migrate.report.model import FailureGroup, Sample, by_reason
from vod_migrate.results.fingerprint import NOTHING, added, fingerprint
from vod_migrate.results.notes import Notes
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, ScanKind, joined_samples, summed
from vod_migrate.results.store import Store
from vod_migrate.results.work import Work

_BROKEN_ROW = "row_"
_SLOT = "plan"


@dataclass(kw_only=True)
class Planner:
    """Makes the plan of one run whose source is listed.

    compared: what else must be the same for the plan to hold, by name. describer: must ask `lookups`. began: by time.monotonic().
    """

    store: Store
    run: Run
    compared: Mapping[str, object]
    describer: Describer
    lookups: DryLookups
    rate: PlannedRate
    stop: threading.Event
    began: float

    def __post_init__(self) -> None:
        self._batcher = Batcher(self.run.spec.register_, storage_address=self.describer.storage_address)
        self._failures = Failures()
        self._samples = SampleDescriptions(self.lookups.to_be_made)
        self._sizes = Sizes()
        self._calls = self._cut_short = self._queued = 0
        self._fingerprint = NOTHING

    def make(self) -> Plan:
        """The plan. Raises Interrupted where `stop` is set, and AccountStopped where a lookup is not allowed."""
        scans = self.store.scans(self.run)
        place = self.store.take_place(self.run, slot=_SLOT, host=socket.gethostname())
        renewed = time.monotonic()
        try:
            with RepeatedTexts() as texts:
                for works in self.store.queued(self.run):
                    if time.monotonic() > renewed + self.store.lease / 3:
                        renewed = time.monotonic()
                        if not self.store.renew(place):
                            raise Interrupted("another process is making this plan", code="replaced")
                    if self.stop.is_set():
                        raise Interrupted("planning was stopped; nothing was changed", code="interrupted")
                    self._take(works, texts)
                self._count(self._batcher.flush(), last=True)
                return self._plan(scans).model_copy(update=texts.found())
        finally:
            self.store.leave(self.run, place, patience=1.0)

    def _take(self, works: Sequence[Work], texts: RepeatedTexts) -> None:
        """Describes a block and puts it into calls. What was refused before gets a call of its own."""
        self._queued += len(works)
        self._fingerprint = added(self._fingerprint, fingerprint(work.object for work in works))
        entries: list[Entry] = []
        alone: set[str] = set()
        for work in works:
            described = self.describer.describe(work.object)
            if isinstance(described, Rejected):
                self._failures.add(work.key, described)
                continue
            self._samples.add(described)
            self._sizes.add(work.object)
            entries.append(described)
            if work.attempts:
                alone.add(work.key)
        texts.add((entry.key, entry.description.title, entry.description.reference_id) for entry in entries)
        self._calls += len(alone)
        together = (entry for entry in entries if entry.key not in alone)
        self._count(self._batcher.add(together))

    def _count(self, batches: Iterable[Batch], *, last: bool = False) -> None:
        for batch in batches:
            self._calls += 1
            self._cut_short += not last and len(batch) < FILES_PER_CALL

    def _plan(self, scans: Sequence[Scan]) -> Plan:
        run, calls = self.run, self._calls
        listing = [scan for scan in scans if scan.kind in (ScanKind.PREFIX, ScanKind.ROWS)]
        found, left_out, samples = _totals(listing)
        notes = Notes.total(scan.notes for scan in listing)
        earlier, dropped, _ = _totals([scan for scan in scans if scan.kind is ScanKind.LEFTOVERS])
        taken = earlier.get("queued", 0) + earlier.get("queued_again", 0) - found.get("vanished", 0)
        broken = tuple(
            FailureGroup(
                code=code, count=count, samples=tuple(Sample(key="", message=row) for row in samples.get(code, ()))
            )
            for code, count in found.items()
            if code.startswith(_BROKEN_ROW)
        )
        failing = sorted((*self._failures.groups(), *broken), key=lambda group: (-group.count, group.code))
        now = dt.datetime.now(dt.UTC).astimezone(run.spec.zone)
        duration = calls / self.rate.calls_per_second
        files_per_call = round(self._sizes.count / calls, 3) if calls else 0.0
        prefixes = tuple(
            PlannedPrefix(prefix=scan.prefix, listed=scan.listed, selected=scan.selected) for scan in listing
        )
        lookups = self.lookups.told()
        expected = expected_runs(
            now,
            duration,
            window=run.window,
            a_run=most_seconds(
                run.pause_after, calls_per_second=self.rate.calls_per_second, files_per_call=files_per_call
            ),
            next_run=run.spec.next_start,
        )
        return Plan(
            run_id=run.run_id,
            digest=digest_of(run, self.compared, selected=self._queued, fingerprint=self._fingerprint),
            migration=run.migration,
            account=run.account,
            region=run.region,
            bucket=run.bucket,
            origin=run.origin,
            timezone=run.spec.timezone,
            local_date=run.local_date,
            options=run.options.stored(),
            settings=run.spec.resolved(),
            compared=dict(self.compared),
            made_at=now,
            planning_seconds=round(time.monotonic() - self.began, 3),
            prefixes=prefixes,
            selected=self._queued,
            fingerprint=self._fingerprint,
            listed=sum(scan.listed for scan in listing),
            left_out=by_reason(left_out, samples, notes),
            hints=by_reason(notes.hints, samples, notes),
            to_restore=notes.to_restore,
            to_restore_bytes=notes.to_restore_bytes,
            unchanged=found.get("unchanged", 0),
            changed=found.get("changed", 0),
            failed_before=found.get("failed_before", 0),
            owned_elsewhere=found.get("owned_elsewhere", 0),
            queued_elsewhere=found.get("queued_elsewhere", 0),
            gone=found.get("gone", 0),
            new=found.get("queued", 0),
            again=self._queued if run.mode is Mode.FAILED else found.get("queued_again", 0),
            leftovers=taken,
            leftovers_left_out=sum(dropped.values()),
            broken_rows=sum(group.count for group in broken),
            to_send=self._sizes.count,
            failing=tuple(failing),
            bytes=self._sizes.bytes,
            size_unknown=self._sizes.unknown,
            classes=self._sizes.classes(),
            batches=Batches(
                calls=calls,
                files_per_call=files_per_call,
                cut_short=self._cut_short,
            ),
            rate=self.rate,
            seconds=round(duration, 3),
            window=None if run.window is None else str(run.window),
            pause_after=run.pause_after.in_words(),
            runs=expected.runs,
            expected_end=expected.end,
            lookups=lookups,
            cost=estimated_cost(
                run.spec, prefixes, lookups, calls=calls, size=self._sizes.bytes, unsized=self._sizes.unknown
            ),
            samples=self._samples.samples(),
        )


def _totals(scans: Iterable[Scan]) -> tuple[dict[str, int], dict[str, int], dict[str, list[str]]]:
    """Objects by disposition, objects left out by reason, and samples by reason, of some scans together."""
    counts: dict[str, int] = {}
    left_out: dict[str, int] = {}
    samples: dict[str, list[str]] = {}
    for scan in scans:
        counts, left_out = summed(counts, scan.counts), summed(left_out, scan.left_out)
        samples = joined_samples(samples, scan.samples)
    return counts, left_out, samples
