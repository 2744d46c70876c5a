"""The results store under everything that may happen to it, in any order: the invariants are in the docstring of results/store.py."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from vod_migrate.media import Description, Entry, MediaObject, Outcome, Verdict
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.register.recorder import settle
from vod_migrate.results.run import Run
from vod_migrate.results.scan import SelectedPage
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Settlement, Work

BUCKET, ACCOUNT = "media-archive", "default"
KEYS = tuple(f"{number}.mp4" for number in range(5))
PAGE = 2
MOST_RUNS, MOST_WORKERS = 7, 5
MIGRATIONS = ("nightly", "other")
EXAMPLES = int(os.environ.get("VOD_MIGRATE_TEST_EXAMPLES", "40"))
"""More for a long look: 40 take about 15 s on an idle machine."""
SEEN: Counter[str] = Counter()
"""How often each situation came up: a machine that never gets anywhere holds every promise."""
MUST_BE_SEEN = (
    "claimed", "taken from the dead", "registered", "unknown", "retry", "late and registered", "late and without effect",
    "registered -> gone", "registered -> pending",
)  # fmt: skip
MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
BECOMES = {
    None: {"pending"},
    "pending": {"pending", "registered", "failed", "gone"},
    "registered": {"registered", "pending", "gone"},
    "failed": {"failed", "pending", "registered"},
    "gone": {"gone", "pending", "registered"},
}


ALWAYS = (
    "upload", "delete", "list_to_the_end", "list_a_page", "listing_breaks_off_and_is_tried_again", "adopt", "end_a_run",
    "stop_by_its_threshold",
)  # fmt: skip
BEGINNINGS = ("begin_a_run", *["the_bucket_changes_and_is_listed_anew"] * 2)
OF_WORKERS = (
    *["claim"] * 4, *["call_and_record"] * 6, *["somebody_else_takes_over"] * 2, "refuse_what_cannot_be_described",
    "a_call_gets_no_answer", "crash", "leave", "lease_runs_out", "renew",
)  # fmt: skip
"""What may happen next; names that stand more than once happen more often."""


class Row(NamedTuple):
    result_id: int
    key: str
    migration: str
    state: str
    before_gone: str | None
    media_id: str | None
    code: str | None
    attempts: int
    alone: bool
    queued_run: str
    settled_run: str | None
    claim_token: uuid.UUID | None


@dataclass(kw_only=True, slots=True, eq=False)
class Worker:
    """What a worker believes: its token, and what it holds."""

    run: Run
    token: uuid.UUID
    held: dict[int, Work] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Real Postgres; the bucket and the service are dicts.

    One rule draws what happens next: of many rules Hypothesis would leave half out of each example, and a result that is claimed,
    lost, recorded late and queued again needs most of them.
    """

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        with store.connection() as connection:
            connection.execute("truncate runs, scans, results, claims, calls, outcomes, gone_candidates cascade")
        self.bucket: dict[str, str] = {}
        self.registered: set[str] = set()
        self.runs: list[Run] = []
        self.alive: list[Worker] = []
        self.rows: dict[str, Row] = {}

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

    def begin(self, name: str, mode: Mode) -> Run:
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
        )
        run = self.store.prepare_run(asked, spec_digest="d", prefixes=[] if mode is Mode.FAILED else [""], whole=True)
        if mode is Mode.FAILED:
            self.store.queue_failed(run, prefixes=None)
        self.runs.append(run)
        return run

    def the_bucket_changes_and_is_listed_anew(self) -> None:
        self.draw(some.sampled_from([self.upload, self.delete]))()
        self.begin_a_run()
        self.list_all(self.runs[-1])

    def a_run(self) -> Run:
        return self.draw(some.sampled_from(self.runs))

    def list_to_the_end(self) -> None:
        self.list_all(self.a_run())

    def list_a_page(self) -> None:
        self.list_next(self.a_run())

    def list_all(self, run: Run) -> None:
        while self.store.open_scans(run.run_id):
            self.list_next(run)

    def list_next(self, run: Run) -> None:
        for scan in self.store.open_scans(run.run_id):
            rest = sorted(key for key in self.bucket if key > (scan.last_key or ""))
            page = rest[:PAGE]
            objects = tuple(
                MediaObject(bucket=BUCKET, key=key, size=1, etag=self.bucket[key], last_modified=MOMENT) for key in page
            )
            cursor = "more" if len(rest) > PAGE else None
            listing = SelectedPage(keys=tuple(page), listed=len(page), selected=objects, left_out={}, cursor=cursor)
            after = self.store.merge_page(run, scan, listing)
            assert self.store.merge_page(run, scan, listing).pages == after.pages, "a page is merged once"
            if cursor is None:
                self.store.close_scan(after, state="complete")

    def listing_breaks_off_and_is_tried_again(self) -> None:
        run = self.a_run()
        for scan in self.store.open_scans(run.run_id):
            self.store.close_scan(scan, state="failed", code="SourceUnavailable", error="503")
        self.store.retry_failed_scans(run.run_id)

    def adopt(self) -> None:
        self.store.adopt_pending(self.a_run(), most=4)

    def end_a_run(self) -> None:
        run, state = self.a_run(), self.draw(some.sampled_from(["succeeded", "interrupted", "paused", "cancelled"]))
        if state == "cancelled":
            self.store.stop_run(run.run_id, code="Cancelled", message="by a person")
        self.store.finish_run(run.run_id, state=state, summary={"counts": {"pending": 0, "unknown": 0}})

    def stop_by_its_threshold(self) -> None:
        self.store.settle_alone(self.a_run().run_id)

    # Workers

    def take_place(self) -> None:
        self.enter(self.a_run(), self.draw(some.sampled_from(["one", "two"])))

    def enter(self, run: Run, slot: str) -> None:
        token = self.store.take_place(run.run_id, slot=slot, worker=f"host:1/{slot}")
        self.alive.append(Worker(run=run, token=token))

    def a_worker(self) -> Worker:
        return self.draw(some.sampled_from(self.alive))

    def claim(self) -> None:
        alone = any(row.alone for row in self.rows.values()) and self.draw(some.booleans(), label="alone")
        self.claim_for(self.a_worker(), most=self.draw(some.sampled_from([6, 3, 1])), alone=alone)

    def somebody_else_takes_over(self) -> None:
        holders = [worker for worker in self.alive if worker.held]
        if holders:
            dying = self.draw(some.sampled_from(holders))
            self.run_out(dying)
            self.enter(dying.run, self.draw(some.sampled_from(["one", "two", "three"])))
            self.claim_for(self.alive[-1], most=6, alone=False)

    def claim_for(self, worker: Worker, *, most: int, alone: bool) -> None:
        living, before = self.living_tokens(), {row.result_id: row for row in self.snapshot().values()}
        works = self.store.claim(worker.run.run_id, worker.token, most=most, alone=alone)
        for work in works:
            row = before[work.result_id]
            assert row.claim_token not in living, "taken from a living worker, or given twice to one"
            SEEN["claimed" if row.claim_token is None else "taken from the dead"] += 1
            SEEN["claimed alone"] += alone
            assert (row.state, row.queued_run, row.alone) == ("pending", worker.run.run_id, alone)
            worker.held[work.result_id] = work
        assert not works or worker.token in living, "given to a worker without a place"

    def call_and_record(self) -> None:
        holders = [worker for worker in self.alive if worker.held]
        if not holders:
            return
        worker = self.draw(some.sampled_from(holders))
        chosen = self.draw(some.lists(some.sampled_from(sorted(worker.held)), unique=True, min_size=1, max_size=4))
        before = {row.result_id: row for row in self.rows.values()}
        held = {
            result_id
            for result_id in chosen
            if before[result_id].claim_token == worker.token and before[result_id].state == "pending"
        }
        assert self.store.still_held(worker.token, chosen) == held
        # Without the look before sending, as where the place is lost between the look and the answer.
        settlements = [self.answer(worker.held[result_id]) for result_id in chosen]
        call = CallRecord(
            call_id=uuid.uuid4(),
            worker="w",
            started_at=MOMENT,
            seconds=0.1,
            answer="ok",
            files=len(chosen),
            request_id="R",
        )
        settled = self.store.record_call(worker.run.run_id, worker.token, call, settlements)
        late = {
            told.result_id
            for told in settlements
            if told.result_id not in held
            and told.state == "registered"
            and before[told.result_id].state != "registered"
        }
        assert settled == len(held | late), "what is held is settled; what is not may only become registered"
        after = {row.result_id: row for row in self.snapshot().values()}
        SEEN["late and registered"] += len(late)
        SEEN["late and without effect"] += len(chosen) - settled
        for told in settlements:
            SEEN[told.outcome] += told.result_id in held
            if told.result_id in held | late:
                assert after[told.result_id].state == told.state
                assert after[told.result_id].claim_token is None
            else:
                assert after[told.result_id] == before[told.result_id], "changed by somebody who does not hold it"
        if self.draw(some.booleans()):
            assert self.store.record_call(worker.run.run_id, worker.token, call, settlements) == 0
        for result_id in chosen:
            del worker.held[result_id]

    def answer(self, work: Work) -> Settlement:
        verdict = self.draw(some.sampled_from(Verdict))
        key = work.object.key
        entry = Entry(
            result_id=work.result_id,
            bucket=BUCKET,
            key=key,
            file_url=f"https://h/{key}",
            description=Description(title=key),
            attempts=work.attempts,
            no_answers=work.no_answers,
        )
        if verdict in (Verdict.REGISTERED, Verdict.ALREADY_REGISTERED):
            verdict = Verdict.ALREADY_REGISTERED if key in self.registered else Verdict.REGISTERED
            self.registered.add(key)
            return settle(entry, Outcome(result_id=work.result_id, verdict=verdict, media_id=media_id(key)))
        code = "file_refused" if verdict is Verdict.FAILED else "no_answer"
        return settle(entry, Outcome(result_id=work.result_id, verdict=verdict, code=code, message="because"))

    def refuse_what_cannot_be_described(self) -> None:
        worker = self.a_worker()
        if worker.held:
            result_id = self.draw(some.sampled_from(sorted(worker.held)))
            (before,) = (row for row in self.rows.values() if row.result_id == result_id)
            failure = Settlement(
                result_id=result_id, outcome="failed", state="failed", code="title_empty", message="because"
            )
            self.store.record_failures(worker.run.run_id, worker.token, [failure])
            (after,) = (row for row in self.snapshot().values() if row.result_id == result_id)
            holds = before.claim_token == worker.token and before.state == "pending"
            assert after.state == "failed" if holds else after == before
            del worker.held[result_id]

    def a_call_gets_no_answer(self) -> None:
        worker = self.a_worker()
        self.perhaps_registered(worker)
        self.store.mark_unsure(worker.token, list(worker.held))

    def crash(self) -> None:
        worker = self.a_worker()
        self.perhaps_registered(worker)
        self.alive.remove(worker)

    def perhaps_registered(self, worker: Worker) -> None:
        if self.draw(some.booleans(), label="after the effect"):
            self.registered |= {work.object.key for work in worker.held.values()}

    def leave(self) -> None:
        worker = self.a_worker()
        self.store.leave(worker.token, in_flight=list(worker.held)[:1])
        if self.draw(some.booleans(), label="and hears nothing of it"):
            return
        worker.held.clear()

    def lease_runs_out(self) -> None:
        self.run_out(self.a_worker())

    def run_out(self, worker: Worker) -> None:
        with self.store.connection() as connection:
            connection.execute(
                "update claims set expires_at = now() - interval '1 s' where token = %s", (worker.token,)
            )

    def renew(self) -> None:
        worker = self.a_worker()
        with self.store.connection() as connection:
            placed = connection.execute("select 1 from claims where token = %s", (worker.token,)).fetchone()
        assert self.store.renew(worker.token) == (placed is not None)

    # What must hold

    @invariant()
    def invariants_hold(self) -> None:
        before, self.rows = self.rows, self.snapshot()
        for key, row in self.rows.items():
            was = before.get(key)
            assert row.state in BECOMES[was.state if was else None], (was, row)
            SEEN[f"{was.state if was else None} -> {row.state}"] += 1
            if was is not None:
                assert (row.result_id, row.migration) == (was.result_id, was.migration), "owner and identity stay"
                assert row.media_id == was.media_id or was.media_id is None, "a MediaId is never lost or changed"
            assert row.media_id in (None, media_id(key))
            if row.media_id is not None:
                assert key in self.registered, "nothing is recorded that did not happen"
            if row.state == "registered":
                assert row.media_id is not None
            if row.state == "failed":
                assert row.code is not None
                assert row.settled_run is not None
            assert (row.before_gone is not None) == (row.state == "gone"), row
            assert row.claim_token is None or row.state == "pending", row
        assert set(before) <= set(self.rows), "a result is never deleted"
        held = {worker.token: set(worker.held) for worker in self.alive}
        for row in self.rows.values():
            if row.claim_token in held:
                assert row.result_id in held[row.claim_token], "held by a worker that does not know of it"

    def numbers_add_up(self) -> None:
        with self.store.connection() as connection:
            scans = connection.execute("select listed, counts, left_out from scans").fetchall()
            settled = connection.execute(
                "select run_id, result_id, count(*) from outcomes where outcome in ('registered', 'already_registered', 'failed') "
                "group by 1, 2 having count(*) > 1"
            ).fetchall()
        for listed, counts, left_out in scans:
            assert listed == sum(counts.values()) - counts.get("gone", 0) + sum(left_out.values()), (listed, counts)
        assert not settled, "a run counts an object twice"

    def snapshot(self) -> dict[str, Row]:
        with self.store.connection() as connection:
            rows = connection.execute(
                "select result_id, key, migration, state, state_before_gone, media_id, code, attempts, alone, queued_run, "
                "settled_run, claim_token from results"
            ).fetchall()
        assert len(rows) == len({row[1] for row in rows}), "one result for each object"
        return {row[1]: Row(*row) for row in rows}

    def living_tokens(self) -> set[uuid.UUID]:
        with self.store.connection() as connection:
            return {row[0] for row in connection.execute("select token from claims where expires_at > now()")}

    def teardown(self) -> None:
        """Whatever happened: once everybody is dead, one undisturbed run of each migration ends it."""
        self.numbers_add_up()
        with self.store.connection() as connection:
            connection.execute("update claims set expires_at = now() - interval '1 s'")
        self.alive.clear()
        for name in MIGRATIONS:
            run = self.begin(name, Mode.NEW)
            self.list_all(run)
            token = self.store.take_place(run.run_id, slot="last", worker="w")
            for alone in (False, True):
                while self.store.adopt_pending(run, most=3):
                    pass
                while works := self.store.claim(run.run_id, token, most=5, alone=alone):
                    self.registered |= {work.object.key for work in works}
                    self.settle_all(run, token, works)
            assert self.store.work_left(run.run_id) == (0, False, False)
        rows = self.snapshot()
        assert set(self.bucket) <= set(rows), "every object is a result"
        states = Counter(row.state for row in rows.values())
        assert states["pending"] == 0, "nothing is pending that could be sent"
        for key, row in rows.items():
            assert (row.state == "gone") <= (key not in self.bucket), "gone, and in the bucket"

    def settle_all(self, run: Run, token: uuid.UUID, works: list[Work]) -> None:
        call = CallRecord(
            call_id=uuid.uuid4(), worker="w", started_at=MOMENT, seconds=0.1, answer="ok", files=len(works)
        )
        settlements = [
            Settlement(
                result_id=work.result_id, outcome="registered", state="registered", media_id=media_id(work.object.key)
            )
            for work in works
        ]
        assert self.store.record_call(run.run_id, token, call, settlements) == len(works)


def media_id(key: str) -> str:
    return f"media-of-{key}"


@pytest.mark.timeout(900)  # a failure is made small first
def test_in_any_order_of_events_the_results_store_keeps_its_promises(store: Store) -> None:
    budget = settings(
        max_examples=EXAMPLES,
        stateful_step_count=50,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    SEEN.clear()
    run_machine(lambda: StoreMachine(store), settings=budget)
    assert not [what for what in MUST_BE_SEEN if not SEEN[what]], SEEN
