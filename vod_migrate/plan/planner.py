"""Makes a plan: lists the source as a run would, meets the results without touching them, and describes what would be sent.

Nothing is written anywhere but into temporary tables, so a plan that is interrupted leaves nothing behind. A page is forgotten
once it is counted: memory does not grow with the number of objects.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vod_migrate.describe.describer import Describer
from vod_migrate.discover.scanner import as_listing
from vod_migrate.discover.selection import Selection
from vod_migrate.discover.source import Pages
from vod_migrate.errors import Interrupted
from vod_migrate.media import FILES_PER_CALL, Batch, BrokenRow, Entry, MediaObject, Rejected
from vod_migrate.migration.options import Mode
from vod_migrate.migration.window import Window
from vod_migrate.plan.digest import digest_of, left_out_reasons
from vod_migrate.plan.dry_lookups import DryLookups
from vod_migrate.plan.estimate import expected_end
from vod_migrate.plan.model import Batches, Duplicates, Plan, PlannedPrefix, PlannedRate, Repeated
from vod_migrate.plan.samples import Failures, SampleDescriptions, Sizes
from vod_migrate.register.batcher import Batcher
from vod_migrate.results.fingerprint import NOTHING, added, fingerprint
from vod_migrate.results.plan_scratch import RepeatedText, Scratch, scratch
from vod_migrate.results.plans import PART
from vod_migrate.results.run import Run
from vod_migrate.results.scan import SAMPLES, Scan, SelectedPage, joined_samples
from vod_migrate.results.store import Store
from vod_migrate.results.work import Work

FAILED = "failed results"
"""What stands for a prefix where mode failed lists none."""

_LIFE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRequest:
    """What is to be planned: the run as it would be stored, and its scans, each at its beginning.

    narrowed: the prefixes that mode failed is narrowed to. compared: what else must be the same for the plan to hold, by name.
    """

    run: Run
    scans: tuple[Scan, ...]
    narrowed: tuple[str, ...] | None
    compared: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanResult:
    """A plan, and the scans as they are after it."""

    plan: Plan
    scans: tuple[Scan, ...]


class Planner:
    """Makes one plan."""

    def __init__(
        self,
        *,
        store: Store,
        question: PlanRequest,
        selection: Selection,
        pages: Pages,
        describer: Describer,
        lookups: DryLookups,
        rate: PlannedRate,
        stop: threading.Event,
        window: Window | None = None,
    ) -> None:
        """describer: must ask `lookups`. window: when the run may send, for the expected end."""
        self._store = store
        self._question = question
        self._run = question.run
        self._selection = selection
        self._pages = pages
        self._describer = describer
        self._lookups = lookups
        self._rate = rate
        self._stop = stop
        self._window = window
        rules = self._run.spec.register_
        self._batcher = Batcher(
            max_request_bytes=rules.max_request_bytes,
            user_data="" if rules.user_data is None else rules.user_data.as_json(),
        )
        self._failures = Failures()
        self._oddities = SampleDescriptions(lookups.to_be_made)
        self._sizes = Sizes()
        self._calls = self._cut_short = self._alone = 0
        self._queued = self._new = self._again = self._leftovers = self._broken = self._gone = 0
        self._idle: list[str] = []
        self._next_life = 0.0

    def make(self) -> PlanResult:
        """The plan."""
        try:
            return self._make()
        except Interrupted as error:
            # Whoever was interrupted speaks of going on; a plan begins anew.
            raise Interrupted("planning was told to stop; nothing was changed", code="interrupted") from error

    def _make(self) -> PlanResult:
        began, run = time.monotonic(), self._run
        with scratch(self._store.url) as notes:
            if run.adopts:
                self._idle = self._store.idle_runs(run)
            if run.mode is Mode.FAILED:
                prefixes = [self._failed(notes)]
                scans: list[Scan] = []
            else:
                scans = [self._scan(scan, notes) for scan in self._question.scans]
                prefixes = [
                    PlannedPrefix(
                        prefix=scan.prefix,
                        listed=scan.listed,
                        selected=scan.selected,
                        fingerprint=scan.fingerprint or NOTHING,
                    )
                    for scan in scans
                ]
            self._take_leftovers(scans, notes)
            self._count(self._batcher.flush(), last=True)
            titles, names = notes.titles(most=SAMPLES), notes.names(most=SAMPLES)
        plan = self._plan(scans, prefixes, seconds=time.monotonic() - began)
        return PlanResult(
            plan=plan.model_copy(update={"titles": _duplicates(titles), "names": _duplicates(names)}),
            scans=tuple(scans),
        )

    # One prefix

    def _scan(self, scan: Scan, notes: Scratch) -> Scan:
        gone = 0
        for page in self._pages(scan, self._stop):
            self._check()
            listing = as_listing(page, self._selection)
            if spared := self._broken_rows(listing.broken):
                listing = _spared(listing, spared)
            if self._idle:
                self._note_leftovers(listing, notes)
            fresh = self._not_repeated(listing, notes)
            fates, over_limit = self._meet(fresh, notes)
            if again := len(listing.selected) - len(fresh):
                fates["duplicate"] = again
            if scan.whole:
                gone += self._store.planned_missing(self._run, scan, listing)
            scan = scan.after(listing, fates, over_limit=over_limit)
            if scan.limited:
                break
        self._gone += gone
        return replace(scan, counts={**scan.counts, "gone": gone}) if gone else scan

    def _meet(self, selected: Sequence[MediaObject], notes: Scratch) -> tuple[dict[str, int], list[str]]:
        """Counts the fates of a page and takes what would be sent. Returns them, and the keys beyond the run's limit."""
        counted: dict[str, int] = {}
        limit, rest = self._run.options.limit, list(selected)
        while rest:
            room = len(rest) if limit is None else limit - self._queued
            if room <= 0:
                break
            part, rest = rest[:room], rest[room:]
            sent = []
            for found, (fate, known) in zip(part, self._store.planned_fates(self._run, part), strict=True):
                counted[fate] = counted.get(fate, 0) + 1
                if fate == "queued":
                    self._queued += 1
                    self._new += known == ""
                    self._again += known != ""
                elif fate == "adopted":
                    self._leftovers += 1
                if fate in ("queued", "adopted"):
                    sent.append(found)
            self._take(sent, notes)
        return counted, [found.key for found in rest]

    def _not_repeated(self, listing: SelectedPage, notes: Scratch) -> Sequence[MediaObject]:
        """What no earlier page of the same manifest has named; a prefix lists no key twice."""
        if self._run.spec.source.listed:
            return listing.selected
        named = notes.named([found.key for found in listing.selected])
        return [found for found in listing.selected if found.key not in named]

    def _broken_rows(self, broken: Sequence[BrokenRow]) -> list[BrokenRow]:
        """Counts rows that fail by themselves; returns those that are left out instead."""
        if not broken:
            return []
        spared = self._store.spared_rows(self._run, [row.key for row in broken])
        for row in broken:
            if row.key not in spared:
                self._broken += 1
                self._failures.add(row.key, Rejected(code=row.code, message=row.message))
        return [row for row in broken if row.key in spared]

    # What earlier runs left, and what failed

    def _note_leftovers(self, listing: SelectedPage, notes: Scratch) -> None:
        left = self._store.left_keys(self._run, self._idle, listing.keys)
        if left:
            selected = {found.key for found in listing.selected}
            notes.add_left([key for key in left if key in selected], sent=True)
            notes.add_left([key for key in left if key not in selected], sent=False)

    def _take_leftovers(self, scans: Sequence[Scan], notes: Scratch) -> None:
        """Takes what earlier runs left and this source did not show, unless it is gone from a prefix that was listed whole."""
        whole = tuple(scan.prefix for scan in scans if scan.whole)
        for run_id in self._idle:
            for alone in (False, True):
                for part in self._store.left_by(run_id, alone=alone):
                    self._check()
                    shown = notes.left([work.object.key for work in part])
                    rest = [
                        work.object
                        for work in part
                        if not shown.get(work.object.key, False)
                        and (work.object.key in shown or not work.object.key.startswith(whole))
                    ]
                    self._leftovers += len(rest)
                    self._take(rest, notes, alone=alone)

    def _failed(self, notes: Scratch) -> PlannedPrefix:
        """Takes what mode failed would queue."""
        selected, prints = 0, NOTHING
        for part in self._store.failed_parts(self._run, prefixes=self._question.narrowed):
            self._check()
            objects = _objects(part)
            selected, prints = selected + len(objects), added(prints, fingerprint(objects))
            self._again += len(objects)
            self._take(objects, notes)
        return PlannedPrefix(prefix=FAILED, listed=0, selected=selected, fingerprint=prints)

    # What would be sent

    def _take(self, objects: Sequence[MediaObject], notes: Scratch, *, alone: bool = False) -> None:
        """Describes objects and puts them into calls. alone: each would have a call of its own."""
        entries: list[Entry] = []
        for found in objects:
            described = self._describer.describe(found, result_id=0)
            if isinstance(described, Rejected):
                self._failures.add(found.key, described)
                continue
            self._oddities.add(described)
            self._sizes.add(found)
            entries.append(described)
        if alone:
            self._alone += len(entries)
        else:
            self._count(self._batcher.add(self._describer.storage_address, entries))
        for start in range(0, len(entries), PART):
            notes.add_texts((entry.key, entry.description.title) for entry in entries[start : start + PART])

    def _count(self, batches: Iterable[Batch], *, last: bool = False) -> None:
        for batch in batches:
            self._calls += 1
            self._cut_short += not last and len(batch) < FILES_PER_CALL

    def _plan(self, scans: Sequence[Scan], prefixes: Sequence[PlannedPrefix], *, seconds: float) -> Plan:
        run, calls = self._run, self._calls + self._alone
        prints = NOTHING
        for prefix in prefixes:
            prints = added(prints, prefix.fingerprint)
        fates: dict[str, int] = {}
        for scan in scans:
            for fate, count in scan.counts.items():
                fates[fate] = fates.get(fate, 0) + count
        now = dt.datetime.now(dt.UTC).astimezone(run.spec.zone)
        duration = calls / self._rate.calls_per_second
        selected = sum(prefix.selected for prefix in prefixes)
        return Plan(
            run_id=run.run_id,
            digest=digest_of(run, self._question.compared, selected=selected, fingerprint=prints),
            migration=run.migration,
            account=run.account,
            region=run.region,
            bucket=run.bucket,
            origin=run.origin,
            timezone=run.spec.timezone,
            local_date=run.local_date,
            options=run.options.stored(),
            settings=run.spec.resolved(),
            compared=dict(self._question.compared),
            made_at=now,
            planning_seconds=round(seconds, 3),
            prefixes=tuple(prefixes),
            selected=selected,
            fingerprint=prints,
            listed=sum(scan.listed for scan in scans),
            left_out=left_out_reasons(scans),
            unchanged=fates.get("unchanged", 0),
            changed=fates.get("changed", 0),
            failed_before=fates.get("failed_before", 0),
            owned_elsewhere=fates.get("owned_elsewhere", 0),
            queued_elsewhere=fates.get("queued_elsewhere", 0),
            gone=self._gone,
            new=self._new,
            again=self._again,
            leftovers=self._leftovers,
            leftover_runs=tuple(self._idle),
            broken_rows=self._broken,
            to_send=self._sizes.count,
            failing=self._failures.groups(),
            bytes=self._sizes.bytes,
            size_unknown=self._sizes.unknown,
            classes=self._sizes.classes(),
            batches=Batches(
                calls=calls,
                files_per_call=round(self._sizes.count / calls, 3) if calls else 0.0,
                cut_short=self._cut_short,
            ),
            rate=self._rate,
            seconds=round(duration, 3),
            window=None if self._window is None else str(self._window),
            pause_after=run.pause_after.in_words(),
            expected_end=expected_end(now, duration, self._window),
            lookups=self._lookups.told(),
            samples=self._oddities.samples(),
        )

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted("planning was told to stop; nothing was changed", code="interrupted")
        if self._run.origin == "airflow" and time.monotonic() >= self._next_life:
            self._next_life = time.monotonic() + _LIFE_SECONDS
            self._store.show_life(self._run.run_id)


def _objects(works: Iterable[Work]) -> list[MediaObject]:
    return [work.object for work in works]


def _spared(listing: SelectedPage, spared: Sequence[BrokenRow]) -> SelectedPage:
    left_out = dict(listing.left_out)
    samples: dict[str, list[str]] = {}
    for row in spared:
        left_out[row.code] = left_out.get(row.code, 0) + 1
        samples.setdefault(row.code, []).append(row.message)
    return replace(listing, left_out=left_out, samples=joined_samples(listing.samples, samples))


def _duplicates(found: Sequence[RepeatedText]) -> Duplicates:
    if not found:
        return Duplicates()
    return Duplicates(
        texts=found[0].texts,
        objects=found[0].objects,
        samples=tuple(Repeated(text=one.text, count=one.count, keys=one.keys) for one in found),
    )
