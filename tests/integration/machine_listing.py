"""What may happen to a bucket, to runs and to their listing, and the plans between them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as some
from machine_state import (
    ACCOUNT,
    BUCKET,
    KEYS,
    MIGRATIONS,
    MOMENT,
    MOST_RUNS,
    PAGE,
    SEEN,
    Fetched,
    MachineState,
)

from vod_migrate.media import MediaObject
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import Scan, ScanKind, SelectedPage
from vod_migrate.results.scans import ScanMoved
from vod_migrate.results.work import Place


class Listing(MachineState):
    """The rules without workers."""

    # The bucket

    def upload(self) -> None:
        keys = self.draw(some.sets(some.sampled_from(KEYS), min_size=1))
        self.bucket |= dict.fromkeys(keys, self.draw(some.sampled_from("AB")))

    def delete(self) -> None:
        self.bucket.pop(self.draw(some.sampled_from(KEYS)), None)

    # Runs

    def begin_a_run(self) -> None:
        self.begin(
            self.draw(some.sampled_from(["nightly", *MIGRATIONS])), self.draw(some.sampled_from([Mode.NEW, *Mode]))
        )

    def begin(self, name: str, mode: Mode, *, gate: Gate = Gate.OPEN, plan: Any = None) -> Run:
        migration = parse_migration(
            {"name": name, "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
            origin="test",
        )
        asked = Run(
            run_id=f"r{len(self.runs):04}",
            account=ACCOUNT,
            region="cn-shanghai",
            migration=name,
            bucket=BUCKET,
            mode=mode,
            options=RunOptions(mode=mode),
            spec=migration,
            spec_digest="d",
            gate=gate,
        )
        listing = mode is not Mode.FAILED
        run = self.store.prepare_run(asked, prefixes=[""] if listing else [], whole=True, leftovers=True, plan=plan)
        if not listing:
            self.store.queue_failed(run)
        self.runs.append(run)
        return run

    def the_bucket_changes_and_is_listed_anew(self) -> None:
        self.draw(some.sampled_from([self.upload, self.delete]))()
        self.begin_a_run()
        self.list_all(self.runs[-1])

    def an_object_disappears_and_returns(self) -> None:
        known = sorted(key for key, fact in self.facts.items() if fact.state == "registered" and key in self.bucket)
        if not known or len(self.runs) + 2 > MOST_RUNS:
            return
        key = self.draw(some.sampled_from(known))
        etag = self.bucket.pop(key)
        self.list_all(self.begin(self.facts[key].owner, Mode.NEW))
        self.invariants_hold()
        self.bucket[key] = etag
        self.list_all(self.begin(self.facts[key].owner, Mode.NEW))

    def a_page_comes_late(self) -> None:
        """Held for a folder, say: meanwhile somebody else lists, or an object of the stretch is uploaded, listed and registered."""
        run = self.begin("nightly", Mode.NEW)
        while (scan := self.store.open_scans(run)[0]).kind is not ScanKind.PREFIX:
            self.list_next(run, scan)
        late = Fetched(run=run, place=self.lister(run), scan=scan, page=self.page_of(scan), facts=self.snapshot())
        if self.draw(some.booleans(), label="somebody else lists"):
            self.lister(run, anew=True)
            self.list_next(run, scan)
        elif len(self.runs) < MOST_RUNS:
            self.bucket[f"0{len(self.runs)}.mp4"] = "A"
            other = self.begin("nightly", Mode.NEW)
            self.list_all(other)
            self.enter(other, "one")
            worker = self.alive.pop()
            if works := self.store.claim(other, worker.place, most=6).works:
                self.settle_all(other, worker.place, works)
            self.store.leave(other, worker.place)
        self.merge(late)
        if self.store.scan(scan.scan_id).state == "open":
            self.list_all(run)

    def list_to_the_end(self) -> None:
        self.list_all(self.a_run())

    def list_a_page(self) -> None:
        run = self.a_run()
        for scan in self.store.open_scans(run)[:1]:
            self.list_next(run, scan)

    def list_all(self, run: Run) -> None:
        while scans := self.store.open_scans(run):
            self.list_next(run, scans[0])

    def a_new_lister(self) -> None:
        self.lister(self.a_run(), anew=True)

    def lister(self, run: Run, *, anew: bool = False) -> Place:
        if anew or run.run_id not in self.listers:
            self.listers[run.run_id] = self.store.take_place(run, slot="discover", host="h")
        assert self.store.renew(self.listers[run.run_id])
        return self.listers[run.run_id]

    def list_next(self, run: Run, scan: Scan) -> None:
        place = self.lister(run)
        if scan.kind is ScanKind.LEFTOVERS:
            found = self.store.leftover_page(run, scan, most=PAGE)
            if not found:
                self.store.close_scan(run, place, scan, state="complete")
                return
            after = self.store.merge_leftovers(run, place, scan, found, left_out={})
            SEEN["leftovers taken over"] += after.counts.get("queued", 0)
        elif scan.kind is ScanKind.APPROVAL:
            approved = self.store.approve_page(run, place, scan, most=PAGE)
            if approved is None:
                self.store.close_scan(run, place, self.store.scan(scan.scan_id), state="complete")
        elif not self.passes_what_is_known(run, place, scan):
            self.merge(Fetched(run=run, place=place, scan=scan, page=self.page_of(scan), facts=self.snapshot()))

    def passes_what_is_known(self, run: Run, place: Place, scan: Scan) -> bool:
        """A range that is as it was is passed, and tells what merging it would."""
        position = scan.last_key or ""
        for known in self.store.known_ranges(run, scan.prefix, after=position, most=1):
            keys = sorted(key for key in self.bucket if key > position)[: known.listed]
            if not known.settled or self.digest(keys) != known.digest:
                return False
            counts: Counter[str] = Counter()
            with self.store.connection() as connection:
                facts = connection.execute(
                    "select * from vod_migrate.objects where source_id = %s and key > %s and key <= %s",
                    [run.source_id, position, known.until],
                ).fetchall()
            for fact in facts:
                if fact["migration_id"] == run.migration_id and fact["registered"] and not fact["gone"]:
                    assert fact["key"] in keys, "it is gone"
            for key in keys:
                fact = next(fact for fact in facts if fact["key"] == key)
                if fact["migration_id"] != run.migration_id:
                    counts["owned_elsewhere"] += 1
                    continue
                assert not fact["gone"]
                assert fact["registered"] or fact["retries"] >= run.spec.register_.retry_failed, (
                    "it is to be tried again"
                )
                # Of what a late answer recorded nobody knows the content, and a listing takes it for this one.
                same = fact["etag"] in (None, self.bucket[key])
                assert fact["registered"] or same
                counts[("unchanged" if same else "changed") if fact["registered"] else "failed_before"] += 1
            told = {name: count for name, count in known.told["counts"].items() if count}
            assert told == dict(counts), (known, keys, facts)
            after = self.store.pass_ranges(run, place, scan, [known], cursor="more")
            assert after.listed == scan.listed + len(keys)
            SEEN["passed as unchanged"] += 1
            return True
        return False

    def digest(self, keys: list[str]) -> bytes:
        return repr([(key, self.bucket[key]) for key in keys]).encode()

    def page_of(self, scan: Scan) -> SelectedPage:
        rest = sorted(key for key in self.bucket if key > (scan.last_key or ""))
        objects = tuple(
            MediaObject(bucket=BUCKET, key=key, size=1, etag=self.bucket[key], last_modified=MOMENT)
            for key in rest[:PAGE]
        )
        return SelectedPage(
            keys=tuple(rest[:PAGE]),
            listed=len(objects),
            selected=objects,
            left_out={},
            cursor="more" if len(rest) > PAGE else None,
            fetched=time.monotonic(),
            digest=self.digest(rest[:PAGE]),
        )

    def fetch_a_page(self) -> None:
        run = self.a_run()
        for scan in self.store.open_scans(run)[:1]:
            if scan.kind is ScanKind.PREFIX:
                fetched = Fetched(
                    run=run, place=self.lister(run), scan=scan, page=self.page_of(scan), facts=self.snapshot()
                )
                self.fetched.append(fetched)

    def merge_the_fetched_page(self) -> None:
        if self.fetched:
            self.merge(self.fetched.pop(self.draw(some.integers(0, len(self.fetched) - 1))))

    def merge(self, fetched: Fetched) -> None:
        run, scan = fetched.run, fetched.scan
        stored = self.store.scan(scan.scan_id)
        stands = (stored.state, stored.page_no, stored.page_nonce) == ("open", scan.page_no, scan.page_nonce)
        listens = self.listers.get(run.run_id) is fetched.place
        try:
            after = self.store.merge_page(run, fetched.place, scan, fetched.page)
        except ScanMoved:
            assert not (stands and listens), "its own page was refused"
            SEEN["a stale lister was stopped"] += 1
            assert self.store.scan(scan.scan_id) == stored
            return
        assert stands
        assert listens, "merged by somebody who does not list"
        with pytest.raises(ScanMoved):
            self.store.merge_page(run, fetched.place, scan, fetched.page)
        until = fetched.page.last_key if fetched.page.cursor else None
        for key, fact in self.snapshot().items():
            inside = key > (scan.last_key or "") and (until is None or key <= until)
            if (
                inside
                and key not in fetched.page.keys
                and fetched.facts.get(key) != fact
                and fact.state == "registered"
            ):
                self.spared.add((scan.scan_id, key))
                SEEN["spared: settled after its page was fetched"] += 1
        if fetched.page.cursor is None:
            before = self.snapshot()
            self.store.close_scan(run, fetched.place, after, state="complete")
            for key, fact in self.snapshot().items():
                newly_gone = fact.state == "gone" and before[key].state != "gone"
                assert not newly_gone or (scan.scan_id, key) not in self.spared, (
                    "it was settled after its page was fetched"
                )

    def listing_breaks_off_and_is_tried_again(self) -> None:
        run = self.a_run()
        for scan in self.store.open_scans(run):
            if scan.kind is ScanKind.PREFIX:
                self.store.close_scan(run, self.lister(run), scan, state="failed", error="503")
        self.store.retry_failed_scans(run)

    def end_a_run(self) -> None:
        run, state = self.a_run(), self.draw(some.sampled_from(["succeeded", "interrupted", "paused", "cancelled"]))
        if run.gate is Gate.OPEN:
            self.store.finish_run(run, state=state, summary={"counts": {"pending": 0, "unknown": 0}})

    def stop_by_its_threshold(self) -> None:
        self.store.settle_alone(self.a_run())

    # Plans

    def plan_and_decide(self) -> None:
        if len(self.runs) + 2 > MOST_RUNS:
            return
        name = self.draw(some.sampled_from(MIGRATIONS))
        facts, others = self.snapshot(), {held for held in self.work() if held.gate == "open"}
        planned = self.begin(name, Mode.NEW, gate=Gate.PLANNING)
        self.list_all(planned)
        assert self.snapshot() == facts, "a plan touches no fact"
        assert {held for held in self.work() if held.gate == "open"} == others, "and no other queue"
        self.enter(planned, "one")
        worker = self.alive.pop()
        assert not self.store.claim(planned, worker.place).works, "a held queue gives nothing"
        self.store.save_plan(planned, digest=planned.run_id, body={}, summary={"counts": {"pending": 0, "unknown": 0}})
        plan = self.store.plan_of(planned.run_id)
        assert plan is not None
        queued = {(work.key, work.object.etag) for works in self.store.queued(planned) for work in works}
        if not self.draw(some.booleans(), label="approved"):
            self.store.decide_plan(planned.run_id, approved=False, by="me")
            assert not any(self.store.queued(planned))
            return
        self.store.decide_plan(planned.run_id, approved=True, by="me")
        self.draw(some.sampled_from([self.upload, self.delete]))()
        run = self.begin(name, Mode.NEW, gate=Gate.APPROVING, plan=plan)
        self.list_all(run)
        run = self.runs[-1] = self.store.run(run.run_id)
        assert run.gate is Gate.OPEN
        approved = {(work.key, work.object.etag) for works in self.store.queued(run) for work in works}
        assert approved <= queued, "something is sent that nobody approved"
        SEEN["approved"] += len(approved)

    def transfer(self) -> None:
        names = self.draw(some.permutations(MIGRATIONS))
        with self.store.connection() as connection:
            connection.execute("update vod_migrate.workers set expires_at = now() - interval '1 s'")
        if not any(run.migration == names[0] for run in self.runs):
            return
        moved = self.store.transfer(ACCOUNT, *names)
        SEEN["transferred"] += moved
        self.transferred = True
        self.runs = [self.store.run(run.run_id) for run in self.runs]
