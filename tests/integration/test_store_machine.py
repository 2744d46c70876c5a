"""The results store under everything that may happen to it, in any order: the invariants are in the docstring of results/store.py."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from machine_listing import Listing
from machine_state import (
    BUCKET,
    KEYS,
    MIGRATIONS,
    MOMENT,
    MOST_RUNS,
    MOST_WORKERS,
    SEEN,
    Worker,
    media_id,
)

from vod_migrate.media import MediaObject
from vod_migrate.migration.options import Mode
from vod_migrate.results.repairs import FactRead, FoundMedia
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Settlement, Work

EXAMPLES = int(os.environ.get("VOD_MIGRATE_TEST_EXAMPLES", "40"))
"""More for a long look: 40 take about 15 s on an idle machine."""
MOST_ROUNDS = 5
"""What one round of examples happens to miss, a further one may meet."""
MUST_BE_SEEN = (
    "claimed", "taken from the dead", "registered", "unknown", "retry", "late and registered", "late and without effect",
    "registered -> gone", "gone -> registered", "failed -> registered", "a stale lister was stopped", "leftovers taken over", "approved",
    "spared: settled after its page was fetched", "transferred", "imported", "forgotten", "passed as unchanged",
)  # fmt: skip
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


class StoreMachine(Listing):
    """All of it under one rule, which draws what happens next.

    Of many rules Hypothesis would leave half out of each example, and an object that is claimed, lost, recorded late and queued
    again needs most of them.
    """

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
        self.store.mark_facts(run, [fact for key, fact in self.read.items() if key not in self.bucket], gone=True)
        self.store.mark_facts(run, [fact for key, fact in self.read.items() if key in self.bucket], gone=False)

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
