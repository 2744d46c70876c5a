"""The results store under everything that may happen to it, in any order: the invariants are in the docstring of results/store.py."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from vod_migrate.media import MediaObject
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.repairs import FactRead, FoundMedia
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import Scan, ScanKind, SelectedPage
from vod_migrate.results.scans import ScanMoved
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Place, Settlement, Work

BUCKET, ACCOUNT = "media-archive", "default"
KEYS = tuple(f"{number}.mp4" for number in range(5))
PAGE = 2
MOST_RUNS, MOST_WORKERS = 8, 5
MIGRATIONS = ("nightly", "other")
EXAMPLES = int(os.environ.get("VOD_MIGRATE_TEST_EXAMPLES", "40"))
"""More for a long look: 40 take about 15 s on an idle machine."""
MOST_ROUNDS = 5
"""What one round of examples happens to miss, a further one may meet."""
SEEN: Counter[str] = Counter()
"""How often each situation came up: a machine that never gets anywhere holds every promise."""
MUST_BE_SEEN = (
    "claimed", "taken from the dead", "registered", "unknown", "retry", "late and registered", "late and without effect",
    "registered -> gone", "gone -> registered", "failed -> registered", "a stale lister was stopped", "leftovers taken over", "approved",
    "spared: settled after its page was fetched", "transferred", "imported", "forgotten", "passed as unchanged",
)  # fmt: skip
MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
BECOMES = {
    None: {"registered", "failed"},
    "registered": {"registered", "failed", "gone"},
    "failed": {"failed", "registered"},
    "gone": {"gone", "registered", "failed"},
}
ALWAYS = (
    "upload", "delete", *["list_to_the_end"] * 2, "list_a_page", "fetch_a_page", "merge_the_fetched_page", "a_new_lister",
    "listing_breaks_off_and_is_tried_again", "end_a_run", "stop_by_its_threshold",
    *["plan_and_decide"] * 2, "transfer", "read_the_facts", "repair",
)  # fmt: skip
BEGINNINGS = (
    "begin_a_run", *["the_bucket_changes_and_is_listed_anew"] * 2, *["a_page_comes_late"] * 2, "an_object_disappears_and_returns",
)  # fmt: skip
OF_WORKERS = (
    *["claim"] * 4, *["call_and_record"] * 6, *["somebody_else_takes_over"] * 2, "a_call_gets_no_answer", "crash", "leave",
    "lease_runs_out", "renew",
)  # fmt: skip
"""What may happen next; names that stand more than once happen more often."""


class Fact(NamedTuple):
    key: str
    state: str
    owner: str
    media_id: str | None
    code: str | None
    run_no: int


class Held(NamedTuple):
    key: str
    queue_no: int
    block_id: int
    token: Any
    gate: str


@dataclass(kw_only=True, slots=True, eq=False)
class Worker:
    """What a worker believes: its place, what it holds, and which blocks."""

    run: Run
    place: Place
    held: dict[str, Work] = field(default_factory=dict)
    blocks: tuple[int, ...] = ()


@dataclass(kw_only=True, slots=True, eq=False)
class Fetched:
    """A page on its way."""

    run: Run
    place: Place
    scan: Scan
    page: SelectedPage
    facts: dict[str, Fact]


class StoreMachine(RuleBasedStateMachine):
    """Real Postgres; the bucket and the service are dicts.

    One rule draws what happens next: of many rules Hypothesis would leave half out of each example, and an object that is claimed,
    lost, recorded late and queued again needs most of them.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        with store.connection() as connection:
            connection.execute(
                "truncate vod_migrate.migrations, vod_migrate.sources, vod_migrate.queues, vod_migrate.runs, vod_migrate.workers, "
                "vod_migrate.scans, vod_migrate.ranges, vod_migrate.missing, vod_migrate.blocks, vod_migrate.work, vod_migrate.objects, vod_migrate.calls, "
                "vod_migrate.events, vod_migrate.counts, vod_migrate.rates, vod_migrate.totals, vod_migrate.plans restart identity"
            )
        self.bucket: dict[str, str] = {}
        self.registered: set[str] = set()
        self.runs: list[Run] = []
        self.listers: dict[str, Place] = {}
        self.alive: list[Worker] = []
        self.fetched: list[Fetched] = []
        self.spared: set[tuple[int, str]] = set()
        self.facts: dict[str, Fact] = {}
        self.transferred = False
        self.read: dict[str, FactRead] = {}
        self.forgotten: set[str] = set()

    @initialize()
    def a_listed_bucket(self) -> None:
        self.bucket |= dict.fromkeys(KEYS, "A")
        self.list_all(self.begin("nightly", Mode.NEW))
        for slot in ("one", "two"):
            self.enter(self.runs[0], slot)
        self.claim_for(self.alive[0], most=3, alone=False)

    @rule(data=some.data())
    def something_happens(self, data: Any) -> None:
        self.draw = data.draw
        possible = [*ALWAYS, *(BEGINNINGS if len(self.runs) < MOST_RUNS else ()), *(OF_WORKERS if self.alive else ())]
        if len(self.alive) < MOST_WORKERS:
            possible += ["take_place"] * 2
        getattr(self, self.draw(some.sampled_from(possible), label="what happens"))()

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
            gate=gate,
        )
        listing = mode is not Mode.FAILED
        run = self.store.prepare_run(
            asked, spec_digest="d", prefixes=[""] if listing else [], whole=True, leftovers=True, plan=plan
        )
        if not listing:
            self.store.queue_failed(run, prefixes=None)
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

    def a_run(self) -> Run:
        return self.draw(some.sampled_from(self.runs))

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
                same = fact["etag"] == self.bucket[key]
                assert fact["registered"] or same
                counts[("unchanged" if same else "changed") if fact["registered"] else "failed_before"] += 1
            assert {name: count for name, count in known.told["counts"].items() if count} == dict(counts)
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

    # A reconciliation

    def read_the_facts(self) -> None:
        with self.store.connection() as connection:
            rows = connection.execute("select key, settled_at from vod_migrate.objects").fetchall()
        self.read = {row["key"]: FactRead(**row) for row in rows}

    def repair(self) -> None:
        """By what was read lately, or long ago."""
        run = self.a_run()
        if self.draw(some.booleans(), label="read anew"):
            self.read_the_facts()
        self.draw(some.sampled_from([self.mark_and_take_back, self.forget, self.import_, self.import_]))(run)

    def mark_and_take_back(self, run: Run) -> None:
        self.store.mark_facts_gone(run, [fact for key, fact in self.read.items() if key not in self.bucket])
        self.store.take_facts_back(run, [fact for key, fact in self.read.items() if key in self.bucket])

    def forget(self, run: Run) -> None:
        if not self.read:
            return
        fact = self.read[self.draw(some.sampled_from(sorted(self.read)))]
        before = self.snapshot()
        forgotten = self.store.forget_facts(run, [fact])
        gone = set(before) - set(self.snapshot())
        assert gone == ({fact.key} if forgotten else set())
        self.forgotten |= gone
        SEEN["forgotten"] += forgotten

    def import_(self, run: Run) -> None:
        """Somebody else has registered a few objects."""
        keys = self.draw(some.sets(some.sampled_from(KEYS), min_size=1))
        self.registered |= keys
        before = self.snapshot()
        found = [
            FoundMedia(
                object=MediaObject(bucket=BUCKET, key=key, size=1, etag="A", last_modified=MOMENT),
                media_id=media_id(key),
            )
            for key in sorted(keys)
        ]
        imported = self.store.import_media(run, found)
        after = self.snapshot()
        for key in keys:
            was = before.get(key)
            free = was is None or (was.state == "failed" and was.owner == run.migration)
            assert (after[key].state == "registered") if free else (after[key] == was)
        assert imported == sum(after[key] != before.get(key) for key in keys)
        SEEN["imported"] += imported

    # Workers

    def take_place(self) -> None:
        self.enter(self.a_run(), self.draw(some.sampled_from(["one", "two"])))

    def enter(self, run: Run, slot: str) -> None:
        self.alive.append(Worker(run=run, place=self.store.take_place(run, slot=slot, host=f"host:1/{slot}")))

    def a_worker(self) -> Worker:
        return self.draw(some.sampled_from(self.alive))

    def claim(self) -> None:
        alone = self.draw(some.booleans(), label="alone")
        self.claim_for(self.a_worker(), most=self.draw(some.sampled_from([6, 3, 1])), alone=alone)

    def somebody_else_takes_over(self) -> None:
        holders = [worker for worker in self.alive if worker.held]
        if holders:
            dying = self.draw(some.sampled_from(holders))
            self.run_out(dying)
            self.enter(dying.run, self.draw(some.sampled_from(["one", "two", "three"])))
            self.claim_for(self.alive[-1], most=6, alone=False)

    def claim_for(self, worker: Worker, *, most: int, alone: bool) -> None:
        living = self.living_tokens()
        before = {(held.key, held.queue_no): held for held in self.work()}
        known = worker.blocks if self.draw_known() else ()
        claimed = self.store.claim(worker.run, worker.place, most=most, known=known, alone=alone)
        for work in claimed.works:
            held = before[work.key, worker.run.queue_no]
            assert held.token not in living - {worker.place.token}, "taken from a living worker"
            SEEN["claimed" if held.token is None else "taken from the dead"] += 1
            worker.held[work.key] = work
        assert not claimed.works or worker.place.token in living, "given to a worker without a place"
        worker.blocks = claimed.blocks

    def draw_known(self) -> bool:
        draw = getattr(self, "draw", None)
        return (
            True if draw is None else bool(draw(some.sampled_from([True, True, True, False]), label="knows its blocks"))
        )

    def call_and_record(self) -> None:
        holders = [worker for worker in self.alive if worker.held]
        if not holders:
            return
        worker = self.draw(some.sampled_from(holders))
        chosen = self.draw(some.lists(some.sampled_from(sorted(worker.held)), unique=True, min_size=1, max_size=4))
        before = self.snapshot()
        work_before = {(held.key, held.queue_no): held for held in self.work()}
        queue_no = worker.run.queue_no
        held = {
            key
            for key in chosen
            if (key, queue_no) in work_before and work_before[key, queue_no].token == worker.place.token
        }
        assert self.store.still_held(worker.run, worker.place, chosen) == held
        # Without the look before sending, as where the place is lost between the look and the answer.
        call = self.a_call(files=len(chosen))
        settlements = [self.answer(worker.held[key], call) for key in chosen]
        settled = self.store.record(worker.run, worker.place, [call], settlements)
        good = {told.key for told in settlements if told.outcome in ("registered", "already_registered")}
        late = {key for key in good - held if key not in before or before[key].state != "registered"}
        assert settled == len(held | late), "what is held is settled; what is not may only become registered"
        after = self.snapshot()
        left = {(one.key, one.queue_no): one for one in self.work()}
        SEEN["late and registered"] += len(late)
        SEEN["late and without effect"] += len(chosen) - settled
        for told in settlements:
            SEEN[told.outcome] += told.key in held
            final = told.outcome in ("registered", "already_registered", "failed")
            if told.key in late or (told.key in held and final):
                assert after[told.key].state == ("registered" if told.key in good else "failed")
                assert (told.key, queue_no) not in left
            elif told.key in held:
                assert after.get(told.key) == before.get(told.key)
                assert left[told.key, queue_no].token is None, "nobody would send it again"
            else:
                assert after.get(told.key) == before.get(told.key), "changed by somebody who does not hold it"
        if self.draw(some.booleans()):
            assert self.store.record(worker.run, worker.place, [call], settlements) == 0
            assert self.snapshot() == after
        for key in chosen:
            del worker.held[key]

    def a_call(self, *, files: int) -> CallRecord:
        return CallRecord(
            call_id=new_call_id(),
            started_at=MOMENT,
            seconds=0.1,
            answer="ok",
            files=files,
            request_id="R",
        )

    def answer(self, work: Work, call: CallRecord) -> Settlement:
        outcome = self.draw(some.sampled_from(["registered", "registered", "failed", "retry", "unknown"]))
        key = work.key
        if outcome == "registered":
            outcome = "already_registered" if key in self.registered else "registered"
            self.registered.add(key)
            return Settlement(key=key, outcome=outcome, media_id=media_id(key), call_id=call.call_id)
        return Settlement(key=key, outcome=outcome, code="no_answer", message="because", call_id=call.call_id)

    def a_call_gets_no_answer(self) -> None:
        worker = self.a_worker()
        self.perhaps_registered(worker)
        self.store.record(worker.run, worker.place, [], [Settlement(key=key, outcome="unsure") for key in worker.held])

    def crash(self) -> None:
        worker = self.a_worker()
        self.perhaps_registered(worker)
        self.alive.remove(worker)

    def perhaps_registered(self, worker: Worker) -> None:
        if self.draw(some.booleans(), label="after the effect"):
            self.registered |= set(worker.held)

    def leave(self) -> None:
        worker = self.a_worker()
        self.store.leave(worker.run, worker.place, in_flight=list(worker.held)[:1])
        if self.draw(some.booleans(), label="and hears nothing of it"):
            return
        worker.held.clear()

    def lease_runs_out(self) -> None:
        self.run_out(self.a_worker())

    def run_out(self, worker: Worker) -> None:
        with self.store.connection() as connection:
            connection.execute(
                "update vod_migrate.workers set expires_at = now() - interval '1 s' where token = %s",
                (worker.place.token,),
            )

    def renew(self) -> None:
        worker = self.a_worker()
        with self.store.connection() as connection:
            placed = connection.execute(
                "select 1 from vod_migrate.workers where token = %s", (worker.place.token,)
            ).fetchone()
        assert self.store.renew(worker.place) == (placed is not None)

    # What must hold

    @invariant()
    def invariants_hold(self) -> None:
        before, self.facts = self.facts, self.snapshot()
        for key, fact in self.facts.items():
            was = before.get(key)
            assert fact.state in BECOMES[was.state if was else None], (was, fact)
            SEEN[f"{was.state if was else None} -> {fact.state}"] += 1
            if was is not None:
                assert self.transferred or fact.owner == was.owner, "the owner stays"
                assert fact.media_id == was.media_id or was.media_id is None, "a MediaId is never lost or changed"
            assert fact.media_id in (None, media_id(key))
            if fact.media_id is not None:
                assert key in self.registered, "nothing is recorded that did not happen"
            assert fact.state == "failed" or fact.media_id is not None
            assert fact.state != "failed" or fact.code is not None
        self.transferred = False
        assert set(before) - self.forgotten <= set(self.facts), "a fact is never deleted, unless it is forgotten"
        self.forgotten.clear()
        for block_id, objects, token, found in self.blocks():
            assert token is not None or objects == found, (block_id, objects, found)

    def blocks(self) -> list[tuple[int, int, Any, int]]:
        with self.store.connection() as connection:
            rows = connection.execute(
                "select block_id, objects, token, (select count(*) from vod_migrate.work w where w.block_id = b.block_id) as found "
                "from vod_migrate.blocks b"
            ).fetchall()
        return [(row["block_id"], row["objects"], row["token"], row["found"]) for row in rows]

    def numbers_add_up(self) -> None:
        with self.store.connection() as connection:
            scans = connection.execute("select kind, listed, counts, left_out from vod_migrate.scans").fetchall()
            negative = connection.execute(
                "select run_no, outcome, code, sum(objects) from vod_migrate.counts group by 1, 2, 3 having sum(objects) < 0"
            ).fetchall()
            totals = connection.execute(
                "select migration_id, state, code, sum(objects)::int as n from vod_migrate.totals group by 1, 2, 3 having sum(objects) <> 0"
            ).fetchall()
            facts = connection.execute(
                "select migration_id, case when gone then 'gone' when registered then 'registered' else 'failed' end as state, "
                "case when gone or registered then '' else code end as code, count(*)::int as n from vod_migrate.objects group by 1, 2, 3"
            ).fetchall()
        for scan in scans:
            apart = () if scan["kind"] == "approval" else ("gone", "vanished")
            counted = sum(count for name, count in scan["counts"].items() if name not in apart)
            assert scan["listed"] == counted + sum(scan["left_out"].values()), scan
        assert not negative, "a run counts less than nothing"
        assert {tuple(row.values()) for row in totals} == {tuple(row.values()) for row in facts}, (
            "totals are not the facts"
        )

    def snapshot(self) -> dict[str, Fact]:
        with self.store.connection() as connection:
            rows = connection.execute(
                "select key, case when gone then 'gone' when registered then 'registered' else 'failed' end as state, m.name, media_id, "
                "code, run_no from vod_migrate.objects join vod_migrate.migrations m using (migration_id)"
            ).fetchall()
        return {row["key"]: Fact(*row.values()) for row in rows}

    def work(self) -> list[Held]:
        with self.store.connection() as connection:
            rows = connection.execute(
                "select w.key, w.queue_no, w.block_id, b.token, q.gate from vod_migrate.work w join vod_migrate.blocks b using (block_id) "
                "join vod_migrate.queues q on q.queue_no = w.queue_no"
            ).fetchall()
        return [Held(*row.values()) for row in rows]

    def living_tokens(self) -> set[Any]:
        with self.store.connection() as connection:
            rows = connection.execute("select token from vod_migrate.workers where expires_at > now()").fetchall()
        return {row["token"] for row in rows}

    def teardown(self) -> None:
        """Whatever happened: once everybody is dead, one undisturbed run of each migration ends it."""
        self.numbers_add_up()
        with self.store.connection() as connection:
            connection.execute("update vod_migrate.workers set expires_at = now() - interval '1 s'")
        self.alive.clear()
        for name in MIGRATIONS:
            run = self.begin(name, Mode.NEW)
            self.list_all(run)
            place = self.store.take_place(run, slot="last", host="h")
            for alone in (False, True):
                while works := self.store.claim(run, place, most=5, alone=alone).works:
                    self.settle_all(run, place, works)
            left = self.store.work_left(run)
            assert (left.open_scans, left.waiting, left.alone) == (0, False, False)
            self.store.finish_run(run, state="succeeded", summary={"counts": {"pending": 0, "unknown": 0}})
        self.numbers_add_up()
        facts = self.snapshot()
        assert set(self.bucket) <= set(facts), "every object is a fact"
        open_queues = [held for held in self.work() if held.gate == "open"]
        assert not open_queues, "something is left that could be sent"
        for key, fact in facts.items():
            assert (fact.state == "gone") <= (key not in self.bucket), "gone, and in the bucket"

    def settle_all(self, run: Run, place: Place, works: tuple[Work, ...]) -> None:
        call = self.a_call(files=len(works))
        self.registered |= {work.key for work in works}
        settlements = [
            Settlement(key=work.key, outcome="registered", media_id=media_id(work.key), call_id=call.call_id)
            for work in works
        ]
        assert self.store.record(run, place, [call], settlements) == len(works)


def media_id(key: str) -> str:
    return f"media-of-{key}"


@pytest.mark.timeout(900)  # a failure is made small first
def test_in_any_order_of_events_the_results_store_keeps_its_promises(store: Store) -> None:
    budget = settings(
        max_examples=EXAMPLES,
        stateful_step_count=50,
        deadline=None,
        derandomize=False,  # as Hypothesis does where CI is set: each round would be the same
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    SEEN.clear()
    for _ in range(MOST_ROUNDS):
        run_machine(lambda: StoreMachine(store), settings=budget)
        unseen = [what for what in MUST_BE_SEEN if not SEEN[what]]
        if not unseen:
            return
    raise AssertionError(unseen)
