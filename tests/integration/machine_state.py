"""The state of the machine that tries the results store, what is read of it, and what must hold."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant

from vod_migrate.results.recorder import new_call_id
from vod_migrate.results.repairs import FactRead
from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, SelectedPage
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Place, Settlement, Work

BUCKET, ACCOUNT = "media-archive", "default"
KEYS = tuple(f"{number}.mp4" for number in range(5))
PAGE = 2
MOST_RUNS, MOST_WORKERS = 8, 5
MIGRATIONS = ("nightly", "other")
SEEN: Counter[str] = Counter()
"""How often each situation came up: a machine that never gets anywhere holds every promise."""
MOMENT = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
BECOMES = {
    None: {"registered", "failed"},
    "registered": {"registered", "failed", "gone"},
    "failed": {"failed", "registered"},
    "gone": {"gone", "registered", "failed"},
}


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


class MachineState(RuleBasedStateMachine):
    """Real Postgres; the bucket and the service are dicts."""

    draw: Any

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        with store.connection() as connection:
            connection.execute(
                "truncate vod_migrate.migrations, vod_migrate.migration_sources, vod_migrate.sources, vod_migrate.queues, vod_migrate.runs, vod_migrate.workers, "
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

    # What all rules use

    def a_run(self) -> Run:
        return self.draw(some.sampled_from(self.runs))

    def enter(self, run: Run, slot: str) -> None:
        self.alive.append(Worker(run=run, place=self.store.take_place(run, slot=slot, host=f"host:1/{slot}")))

    def a_call(self, *, files: int) -> CallRecord:
        return CallRecord(
            call_id=new_call_id(),
            started_at=MOMENT,
            seconds=0.1,
            answer="ok",
            files=files,
            request_id="R",
        )

    def settle_all(self, run: Run, place: Place, works: tuple[Work, ...]) -> None:
        call = self.a_call(files=len(works))
        self.registered |= {work.key for work in works}
        settlements = [
            Settlement(key=work.key, outcome="registered", media_id=media_id(work.key), call_id=call.call_id)
            for work in works
        ]
        assert self.store.record(run, place, [call], settlements) == len(works)

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
        with self.store.connection() as connection:
            told_wrongly = connection.execute(
                "select block_id, b.objects, b.again, found.* from vod_migrate.blocks b, lateral ("
                "select count(*) as found, count(*) filter (where again) as found_again from vod_migrate.work w "
                "where w.block_id = b.block_id) found where token is null and (b.objects, b.again) <> (found, found_again)"
            ).fetchall()
            counted_wrongly = connection.execute(
                "select w.key, w.again from vod_migrate.work w where w.again <> "
                "exists (select 1 from vod_migrate.objects o where o.source_id = w.source_id and o.key = w.key)"
            ).fetchall()
        assert told_wrongly == [], "a block that nobody holds knows its numbers"
        assert counted_wrongly == [], "what has a fact is counted by it, and nothing else is"

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
            outside = connection.execute(
                "select o.key from vod_migrate.objects o left join vod_migrate.extents e using (migration_id) "
                "where (o.key between e.first_key and e.last_key) is not true"
            ).fetchall()
        assert not outside, "facts that a page of their migration would not find"
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


def media_id(key: str) -> str:
    return f"media-of-{key}"
