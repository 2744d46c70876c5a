"""No page reads more than it shows: every query of every read is explained on a table in which reading too much would show.

The plans are those of the very statements that the pages send, with their parameters and in their transactions.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg
import pytest
from databases import Databases

from vod_migrate.migration.loader import parse_migration
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.migrations import NIGHTS, migrations_page
from vod_migrate.report.browse.objects import find_objects, found_codes, walk_objects
from vod_migrate.report.browse.quota import quota_bars
from vod_migrate.report.browse.runs import WantedRuns, runs_of_dag, runs_of_dag_run, runs_of_migration
from vod_migrate.report.browse.search import PageCursor, read_search
from vod_migrate.report.loader import QUERIES, load_report
from vod_migrate.results.store import Store

RESULTS, BIG = 40_000, "archive_01"
FIRST_RUN = f"{BIG}-00"
COUNTS = {
    "totals",
    "counts",
    "rates",
    "migration_dags",
    "migration_sources",
    "migrations",
    "sources",
    "queues",
    "blocks",
}
A_FEW = 20
MOST_COUNTED = 5_000
"""A run's chart sums its calls by five seconds, 720 rows an hour; everything else that is counted is a few hundred."""

FILL = (
    """insert into vod_migrate.migrations (account, name)
       select 'default', 'archive_' || lpad(i::text, 2, '0') from generate_series(1, 8) i""",
    """insert into vod_migrate.sources (account, bucket) select 'default', 'b' || i from generate_series(1, 8) i""",
    "insert into vod_migrate.migration_dags (migration_id, dag_id) select migration_id, 'dag_' || name from vod_migrate.migrations",
    """insert into vod_migrate.queues (migration_id, source_id, mode, gate)
       select m, m, 'new', case n when 0 then 'open' else 'done' end from generate_series(1, 8) m, generate_series(0, 39) n""",
    """insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, origin, dag_id,
                                     dag_run_id, task_group, state, created_at)
       select m.name || '-' || lpad(n::text, 2, '0'), migration_id, migration_id, (migration_id - 1) * 40 + n + 1, 'r', 'new', '{}',
              %(spec)s, '', 'airflow', 'dag_' || m.name, 'n' || n, '', case n when 0 then 'running' else 'succeeded' end,
              now() - n * interval '1 day'
       from vod_migrate.migrations m, generate_series(0, 39) n order by 2, n""",
    # Four of five in the first bucket; the rest in seven others.
    """insert into vod_migrate.objects (source_id, migration_id, run_no, registered, gone, key, media_id, code, message, size, call_id)
       select m, m, (select run_no from vod_migrate.runs where queue_no = (m - 1) * 40 + 1), i %% 50 <> 7, i %% 50 = 11,
              i %% 100 || '/' || lpad(i::text, 7, '0'), case when i %% 50 <> 7 then md5(i::text) end,
              case when i %% 50 = 7 then 'Code.' || i / 50 %% 4 end, 'm', i, i / 10
       from (select i, case when i %% 5 > 0 then 1 else 2 + i / 5 %% 7 end as m from generate_series(1, %(results)s) i) m
       where i %% 50 <> 9""",
    # Another migration behind four of five objects, in their bucket.
    "insert into vod_migrate.migrations (account, name) values ('default', 'behind')",
    "insert into vod_migrate.migration_dags (migration_id, dag_id) select migration_id, 'dag_archive_03' from vod_migrate.migrations where name = 'behind'",
    """insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, origin, state)
       select 'behind', migration_id, 1, 1, 'r', 'new', '{}', %(spec)s, '', 'cli', 'succeeded' from vod_migrate.migrations where name = 'behind'""",
    """insert into vod_migrate.objects (source_id, migration_id, run_no, registered, key, media_id)
       select 1, migration_id, run_no, true, 'zz/' || i, md5('behind' || i)
       from vod_migrate.runs, generate_series(1, 20) i where run_id = 'behind'""",
    "insert into vod_migrate.migration_sources (migration_id, source_id) select distinct migration_id, source_id from vod_migrate.runs",
    """insert into vod_migrate.blocks (queue_no, objects) select 1 + (i - 1) * 40, 100 from generate_series(1, 8) i""",
    """insert into vod_migrate.work (source_id, queue_no, block_id, key, size)
       select m, 1 + (m - 1) * 40, (select block_id from vod_migrate.blocks where queue_no = 1 + (m - 1) * 40),
              i %% 100 || '/' || lpad(i::text, 7, '0'), i
       from (select i, case when i %% 5 > 0 then 1 else 2 + i / 5 %% 7 end as m from generate_series(1, %(results)s) i) m
       where i %% 50 = 9""",
    """insert into vod_migrate.calls (call_id, run_no, worker_no, started_at, seconds, answer, files, carried)
       select i, 1, 1, now() - i * interval '9 seconds', 0.1, case when i %% 50 = 3 then 'throttled' else 'ok' end, 10,
              case when i %% 50 = 3 then array[hashtextextended(i %% 100 || '/' || lpad(i::text, 7, '0'), 0)] end
       from generate_series(1, %(results)s / 10) i""",
    """insert into vod_migrate.rates (run_no, stretch, worker_no, answer, calls, files)
       select run_no, floor(extract(epoch from started_at) / 5), worker_no, answer, count(*), sum(files)
       from vod_migrate.calls group by 1, 2, 3, 4""",
    """insert into vod_migrate.events (source_id, run_no, call_id, what, key, code, message)
       select source_id, run_no, call_id, 'failed', key, code, message from vod_migrate.objects where not registered""",
    """insert into vod_migrate.counts (run_no, worker_no, outcome, code, objects)
       select run_no, 1, case when registered then 'registered' else 'failed' end, coalesce(code, ''), count(*)
       from vod_migrate.objects group by 1, 3, 4""",
    """insert into vod_migrate.totals (migration_id, worker_no, state, code, objects, first_key, last_key)
       select migration_id, 1, case when gone then 'gone' when registered then 'registered' else 'failed' end, coalesce(code, ''), count(*),
              min(key), max(key)
       from vod_migrate.objects group by 1, 3, 4""",
    "insert into vod_migrate.quotas (account, api, rate) values ('default', 'RegisterMedia', 47)",
    "vacuum analyze",
)


@dataclass(kw_only=True)
class Scanned:
    """What one statement read: rows from tables that grow with the objects, and from counts; and what it gave back."""

    sql: str
    read: float = 0
    counted: float = 0
    given: float = 0
    whole: tuple[str, ...] = ()


class Explaining(psycopg.Cursor[Any]):
    """A cursor that has each select explained before it runs."""

    seen: ClassVar[list[Scanned]] = []

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        text = query if isinstance(query, str) else query.decode()
        if text.lstrip().lower().startswith(("select", "with", "--")):
            super().execute(f"explain (analyze, timing off, format json) {text}".encode(), params)
            [row] = self.fetchall()
            plans = next(iter(row.values() if isinstance(row, dict) else row))
            plan = (json.loads(plans) if isinstance(plans, str) else plans)[0]["Plan"]
            told = Scanned(sql=text, given=plan["Actual Rows"])
            _add(plan, told)
            self.seen.append(told)
        return super().execute(query, params, **options)


def _add(node: dict[str, Any], told: Scanned) -> None:
    table = node.get("Relation Name")
    if table is not None:
        lost = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows = (node["Actual Rows"] + lost) * node["Actual Loops"]
        if table in COUNTS:
            told.counted += rows
        else:
            told.read += rows
            if node["Node Type"] == "Seq Scan" and table in ("objects", "work", "events", "calls"):
                told.whole += (table,)
    for inner in node.get("Plans", ()):
        _add(inner, told)


class ExplainedStore(Store):
    """A store whose reads are explained."""

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        with super().connection() as connection:
            connection.cursor_factory = Explaining
            try:
                yield connection
            finally:
                connection.cursor_factory = psycopg.Cursor


@pytest.fixture(scope="module")
def store(databases: Databases) -> Iterator[Store]:
    url = databases.create()
    spec = parse_migration(
        {"name": BIG, "source": {"bucket": "media-archive"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
        origin="test",
    )
    facts = {"spec": spec.model_dump_json(by_alias=True), "results": RESULTS, "first": FIRST_RUN}
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in FILL:
            connection.execute(statement.encode(), facts if "%" in statement else None)
    with ExplainedStore.open(url) as opened:
        yield opened
    databases.drop(url)


VIEWER = frozenset({f"dag_{BIG}", "dag_archive_03"})
MIDDLE = PageCursor(migration=BIG, account="default", bucket="b1", key="50/")


def search(text: str = "", **options: Any) -> Callable[[Store], Any]:
    """One page of 50 objects: what it shows it reads twice, by its place in an index and by its id."""
    places = {name: options.pop(name) for name in ("after", "before") if name in options}
    readable = options.pop("readable", VIEWER)
    return lambda store: find_objects(store, read_search(text, **options), readable=readable, **places)


def table(store: Store, run_id: str, *, since: dt.datetime | None = None) -> None:
    """What a table is read with, in a plain cursor: one on the server cannot be explained."""
    with store.connection() as connection:
        for place in QUERIES.result_sources(connection, run_id=run_id, whole=True):
            few = since is not None and QUERIES.few_changed(
                connection, source_id=place["source_id"], since=since, most=10
            )
            asked = {**place, "run_no": None, "what": "all", "prefix": "", "since": since, "few": few}
            list(QUERIES.result_rows(connection, **asked))


READS: dict[str, tuple[Callable[[Store], Any], int]] = {
    "all migrations and their nights": (lambda store: migrations_page(store, readable=None), 8 * (NIGHTS + 2)),
    "a viewer's migrations": (lambda store: migrations_page(store, readable=VIEWER), 2 * (NIGHTS + 2)),
    "quota": (lambda store: quota_bars(store, readable=VIEWER), 8),  # a line for every run at work
    "first page": (search(readable=None), 102),
    "deep inside": (search(after=MIDDLE), 102),
    "the page before": (search(before=MIDDLE), 102),
    "a prefix": (search("77/"), 102),
    "a prefix, backwards": (search("77/", before=MIDDLE), 102),
    "a prefix that none has": (search("nowhere/", readable=None), 0),
    "a state that few have": (search(state="gone"), 102),
    "a state that most have": (search(state="registered", after=MIDDLE), 102),
    "a code": (search(code="Code.2"), 102),
    "a code, backwards": (search(code="Code.2", before=MIDDLE), 102),
    "a code that none has": (search(code="Code.9"), 0),
    "one of the smaller migrations": (search(migration="archive_03"), 102),
    "one behind others' objects in its bucket": (search(migration="behind"), 102),
    "one behind others' objects, backwards": (search(migration="behind", backwards=True), 102),
    "the table of a migration behind others' objects": (lambda store: table(store, "behind"), 40),
    "a table of what has changed": (
        lambda store: table(store, FIRST_RUN, since=store.now() + dt.timedelta(hours=1)),
        6_400,  # of 32,000: the last 128 pages are not summed up in the index of times yet
    ),
    "MediaId": (search("c4ca4238a0b923820dcc509a6f75849b"), 2),
    "codes to choose from": (lambda store: found_codes(store, readable=None), 0),
    "one object": (lambda store: object_history(store, "default", "b1", "7/0000007", readable=VIEWER), 12),
    "an object of a throttled call": (
        lambda store: object_history(store, "default", "b1", "53/0000053", readable=VIEWER),
        12,
    ),
    "runs of a DAG": (lambda store: runs_of_dag(store, f"dag_{BIG}", readable=VIEWER), 102),
    "runs of a migration": (lambda store: runs_of_migration(store, "default", BIG, readable=VIEWER), 102),
    "the oldest runs of a migration that failed": (
        lambda store: runs_of_migration(
            store, "default", BIG, readable=VIEWER, wanted=WantedRuns(oldest=True, state="succeeded", mode="new")
        ),
        102,
    ),
    "migrations by a part of their name": (
        lambda store: migrations_page(store, readable=None, named="E_03"),
        NIGHTS + 2,
    ),
    "first page, backwards": (search(readable=None, backwards=True), 102),
    "deep inside, backwards": (search(after=MIDDLE, backwards=True), 102),
    "a code, the page before, backwards": (search(code="Code.2", before=MIDDLE, backwards=True), 102),
    "run of a DAG run": (lambda store: runs_of_dag_run(store, f"dag_{BIG}", "n0", readable=VIEWER), 2),
    "a run's report": (
        lambda store: load_report(store, FIRST_RUN),
        80,
    ),  # five samples of each of four codes, four times
    "2,000 objects for a download": (
        lambda store: list(walk_objects(store, read_search("1"), readable=VIEWER, most=2_000)),
        4_002,
    ),
}


@pytest.mark.parametrize("name", READS)
def test_no_query_reads_more_rows_than_it_shows(store: Store, name: str) -> None:
    read, most = READS[name]
    Explaining.seen.clear()
    read(store)
    assert Explaining.seen
    for told in Explaining.seen:
        assert told.whole == (), told.sql
        assert told.read <= most + A_FEW, f"{told.read:.0f} rows read, {told.given:.0f} shown: {told.sql}"
        assert told.counted <= MOST_COUNTED, f"{told.counted:.0f} rows of counts: {told.sql}"


def test_a_query_that_reads_too_much_is_noticed(store: Store) -> None:
    Explaining.seen.clear()
    with store.connection() as connection:
        connection.execute("select key from vod_migrate.objects where key like '%9' limit 50")
        connection.execute("select count(*) from vod_migrate.objects where source_id = 3")
    first, second = Explaining.seen
    assert first.read > 50
    assert first.whole == ("objects",)
    assert second.read > 500
