"""Fills an empty results database by SQL with what nights of 40 migrations would leave: 20,000,000 results in some minutes.

Results lie as a first night writes them, in the order of their keys. Each migration has a bucket of its own, but for the last,
`neighbour`: its NEIGHBOURS objects lie behind all of the big one's in the same bucket.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

MIGRATIONS, NIGHTS, NEIGHBOURS = 40, 30, 1000
BIG, BUCKET = "archive_01", "archive-01"
NEIGHBOUR = "neighbour"
FOLDER = "documentaries/archive/interviews/"
AT_ONCE = 250_000
BETWEEN_CALLS = 0.021  # seconds

_BEGINNINGS = (
    """insert into vod_migrate.migrations (account, name)
       select 'default', case when i < %(migrations)s then 'archive_' || lpad(i::text, 2, '0') else %(neighbour)s end
       from generate_series(1, %(migrations)s) i""",
    """insert into vod_migrate.sources (account, bucket)
       select 'default', replace(name, '_', '-') from vod_migrate.migrations where name <> %(neighbour)s order by migration_id""",
    """insert into vod_migrate.migration_dags (migration_id, dag_id)
       select migration_id, 'vod_backfill__' || name from vod_migrate.migrations""",
    """insert into vod_migrate.queues (migration_id, source_id, mode, gate)
       select m, m %% %(migrations)s + m / %(migrations)s, 'new', case n when 0 then 'open' else 'done' end
       from generate_series(1, %(migrations)s) m, generate_series(0, %(nights)s - 1) n order by m, n""",
    """insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, origin, dag_id,
                                     dag_run_id, task_group, state, created_at, finished_at, summary)
       select m.name || '-' || n, migration_id, migration_id %% %(migrations)s + migration_id / %(migrations)s,
              (migration_id - 1) * %(nights)s + n + 1, 'cn-shanghai', 'new', '{}',
              jsonb_set(%(spec)s::jsonb, '{name}', to_jsonb(m.name)), '', 'airflow', 'vod_backfill__' || m.name, 'scheduled__' || n, '',
              'succeeded', %(begin)s - n * interval '1 day', %(begin)s - n * interval '1 day' + interval '3 hours',
              '{"counts": {"pending": 0, "unknown": 0}}'
       from vod_migrate.migrations m, generate_series(0, %(nights)s - 1) n order by migration_id, n""",
    "insert into vod_migrate.migration_sources (migration_id, source_id) select distinct migration_id, source_id from vod_migrate.runs",
    "update vod_migrate.runs set state = 'running', finished_at = null, summary = null where run_id = %(run)s",
    """insert into vod_migrate.scans (run_no, position, kind, prefix, whole, state)
       select run_no, 0, 'prefix', '', true, 'complete' from vod_migrate.runs""",
    "insert into vod_migrate.quotas (account, api, rate) values ('default', 'RegisterMedia', 47)",
    """insert into vod_migrate.blocks (queue_no, objects)
       select (m - 1) * %(nights)s + 1, 500 from generate_series(1, %(migrations)s) m""",
)
# One object in five belongs to one of the smaller migrations; one in 2,000 was settled a night before, one in fifty has failed, one in a
# hundred waits, one in a thousand is gone.
_MADE = """
    (select i, m, m %% %(migrations)s + m / %(migrations)s as source, (m - 1) * %(nights)s + 1 + (i %% 2000 = 999)::int as queue,
            %(folder)s || lpad((i / 1000)::text, 6, '0') || '/采访 ' || lpad(i::text, 9, '0') || '.mp4' as key
     from (select i, case when i > %(results)s - %(neighbours)s then %(migrations)s when i %% 5 > 0 then 1
                          else 2 + i / 5 %% (%(migrations)s - 2) end as m
           from generate_series(%(first)s::int, %(last)s::int) i) numbered) made
"""
_PARTS = (
    f"""insert into vod_migrate.objects (source_id, migration_id, run_no, registered, gone, new_register, size, last_modified, settled_at,
                                         call_id, key, etag, storage_class, media_id, sent, code, message)
        select source, m, (select run_no from vod_migrate.runs where queue_no = queue), i %% 50 <> 7, i %% 1000 = 13, i %% 50 <> 7 or null,
               case when i %% 4 > 0 then 100000 else 1000 end + i, %(begin)s,
               case when i %% 2000 = 999 then %(begin)s - interval '23 hours' else %(begin)s + i / 10 * %(between)s * interval '1 second' end,
               i / 10, key, md5(i::text), 'Standard', case when i %% 50 <> 7 then md5('media' || i) end,
               jsonb_build_object('Title', '采访 ' || i), case when i %% 50 = 7 then 'Code.' || (i / 50 %% 12) end,
               case when i %% 50 = 7 then 'the service says no' end
        from {_MADE} where i %% 100 <> 11 order by source, key""",  # noqa: S608 - our own text
    f"""insert into vod_migrate.work (source_id, queue_no, block_id, key, size, etag, last_modified, storage_class)
        select source, queue, (select min(block_id) from vod_migrate.blocks where queue_no = queue), key, i, md5(i::text), %(begin)s,
               'Standard'
        from {_MADE} where i %% 100 = 11""",  # noqa: S608 - our own text
    f"""insert into vod_migrate.events (source_id, run_no, call_id, what, key, code, message)
        select source, (select run_no from vod_migrate.runs where queue_no = queue), i / 10, 'failed', key, 'Code.' || (i / 50 %% 12),
               'the service says no'
        from {_MADE} where i %% 50 = 7""",  # noqa: S608 - our own text
    """insert into vod_migrate.calls (call_id, run_no, worker_no, started_at, seconds, answer, http_status, request_id, files)
       select i / 10, 1, 1, %(begin)s + i / 10 * %(between)s * interval '1 second', 0.2,
              case when i / 10 %% 500 = 3 then 'throttled' else 'ok' end, 200, md5('request' || i), 10
       from generate_series(%(first)s::int, %(last)s::int) i where i %% 10 = 0""",
)
_ENDINGS = (
    """insert into vod_migrate.rates (run_no, stretch, worker_no, answer, calls, files)
       select run_no, floor(extract(epoch from started_at) / 5), worker_no, answer, count(*), sum(files)
       from vod_migrate.calls group by 1, 2, 3, 4""",
    """insert into vod_migrate.counts (run_no, worker_no, outcome, code, objects)
       select run_no, 1, case when registered then 'registered' else 'failed' end, coalesce(code, ''), count(*)
       from vod_migrate.objects group by 1, 3, 4""",
    """insert into vod_migrate.totals (migration_id, worker_no, state, code, objects, first_key, last_key)
       select migration_id, 1, case when gone then 'gone' when registered then 'registered' else 'failed' end, coalesce(code, ''), count(*),
              min(key), max(key)
       from vod_migrate.objects group by 1, 3, 4""",
    "vacuum analyze",
    "checkpoint",
)
# A server that crashes while it is filled is filled anew.
_HURRIED = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'4GB'"}


def fill(url: str, results: int) -> None:
    """Makes the rows."""
    from vod_migrate.migration.loader import parse_migration  # noqa: PLC0415 - once the environment is clean

    spec = parse_migration(
        {"name": BIG, "source": {"bucket": BUCKET}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
        origin="benchmark",
    )
    facts: dict[str, Any] = {
        "results": results,
        "migrations": MIGRATIONS,
        "nights": NIGHTS,
        "neighbour": NEIGHBOUR,
        "neighbours": NEIGHBOURS,
        "folder": FOLDER,
        "begin": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=results / 10 * BETWEEN_CALLS),
        "between": BETWEEN_CALLS,
        "run": f"{BIG}-0",
        "spec": spec.model_dump_json(by_alias=True),
    }
    with psycopg.connect(url, autocommit=True) as connection, _hurried(connection):
        for query in _BEGINNINGS:
            connection.execute(query.encode(), facts if "%" in query else None)
        with _without_indexes(connection):
            for query in _PARTS:
                for first in range(1, results + 1, AT_ONCE):
                    part = {"first": first, "last": min(results, first + AT_ONCE - 1)}
                    connection.execute(query.encode(), facts | part)
        for query in _ENDINGS:
            connection.execute(query.encode())


@contextmanager
def _hurried(connection: psycopg.Connection) -> Iterator[None]:
    for name, value in _HURRIED.items():
        connection.execute(f"alter system set {name} = {value}".encode())
    connection.execute("select pg_reload_conf()")
    connection.execute("set maintenance_work_mem = '1GB'")
    connection.execute("set synchronous_commit = off")
    yield
    for name in _HURRIED:
        connection.execute(f"alter system reset {name}".encode())
    connection.execute("select pg_reload_conf()")


@contextmanager
def _without_indexes(connection: psycopg.Connection) -> Iterator[None]:
    """The indexes of the facts are built at the end, which takes a fraction of the time."""
    constraints = connection.execute(
        "select conname, pg_get_constraintdef(oid) from pg_constraint "
        "where conrelid = 'vod_migrate.objects'::regclass and contype in ('p', 'x')"
    ).fetchall()
    for name, _ in constraints:
        connection.execute(f"alter table vod_migrate.objects drop constraint {name}".encode())
    indexes = connection.execute(
        "select indexname, indexdef from pg_indexes where schemaname = 'vod_migrate' and tablename = 'objects'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index vod_migrate.{name}".encode())
    yield
    for name, definition in constraints:
        connection.execute(f"alter table vod_migrate.objects add constraint {name} {definition}".encode())
    for _, definition in indexes:
        connection.execute(definition.encode())


def key_of(number: int) -> str:
    """The key of a result."""
    return f"{FOLDER}{number // 1000:06}/采访 {number:09}.mp4"
