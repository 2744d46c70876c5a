"""How long the pages take over five million results: each query of the read model, and each page of the app where Airflow is installed.

How long `explain` takes for an object in every state, and whether `export` holds more memory for more rows.

    python benchmarks/store.py                     # 5,000,000 results, about 10 minutes to make, 6 GB of disk
    python benchmarks/store.py --results 200000    # a first look
    python benchmarks/store.py --airflow           # the pages too, from the API server of a real Airflow

The rows are made by SQL, as a night with 4 of 5 objects in one run would leave them. Every figure is a median of `--times` reads
after one that is not counted; the slowest is beside it.

Target: `explain` under a second in every state; an export of 4 million rows in at most 30 MB more than one of a ninth of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from stage import Stage, stage

from vod_migrate.audit.explanation import explain, read_name
from vod_migrate.cloud.oss import ObjectFacts
from vod_migrate.migration.loader import parse_migration
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.migrations import migrations_page
from vod_migrate.report.browse.objects import find_objects, found_codes
from vod_migrate.report.browse.quota import quota_bars
from vod_migrate.report.browse.runs import runs_of_dag, runs_of_dag_run
from vod_migrate.report.browse.search import PageCursor, read_search
from vod_migrate.report.loader import load_report
from vod_migrate.results.store import Store

MIGRATIONS, NIGHTS = 40, 30
BIG = "archive_01"
AT_ONCE = 250_000
BETWEEN_CALLS = 0.021  # seconds
MOST_STORY_MS = 1_000
MOST_MORE_BYTES = 30e6

_BEGINNINGS = (
    """insert into vod_migrate.migrations (account, name)
       select 'default', 'archive_' || lpad(i::text, 2, '0') from generate_series(1, %(migrations)s) i""",
    "insert into vod_migrate.sources (account, bucket) select 'default', name from vod_migrate.migrations order by migration_id",
    """insert into vod_migrate.migration_dags (migration_id, dag_id)
       select migration_id, 'vod_backfill__' || name from vod_migrate.migrations""",
    """insert into vod_migrate.queues (migration_id, source_id, mode, gate)
       select m, m, 'new', case n when 0 then 'open' else 'done' end
       from generate_series(1, %(migrations)s) m, generate_series(0, %(nights)s - 1) n""",
    """insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, origin, dag_id,
                                     dag_run_id, task_group, state, created_at, finished_at, summary)
       select m.name || '-' || n, migration_id, migration_id, (migration_id - 1) * %(nights)s + n + 1, 'cn-shanghai', 'new', '{}',
              jsonb_set(%(spec)s::jsonb, '{name}', to_jsonb(m.name)), '', 'airflow', 'vod_backfill__' || m.name, 'scheduled__' || n, '',
              'succeeded', %(begin)s - n * interval '1 day', %(begin)s - n * interval '1 day' + interval '3 hours',
              '{"counts": {"pending": 0, "unknown": 0}}'
       from vod_migrate.migrations m, generate_series(0, %(nights)s - 1) n order by migration_id, n""",
    "update vod_migrate.runs set state = 'running', finished_at = null, summary = null where run_id = %(run)s",
    "insert into vod_migrate.quotas (account, api, rate) values ('default', 'RegisterMedia', 47)",
    """insert into vod_migrate.blocks (queue_no, objects)
       select (m - 1) * %(nights)s + 1, 500 from generate_series(1, %(migrations)s) m""",
)
# One object in five belongs to one of the smaller migrations; one in fifty has failed, one in a hundred waits, one in a thousand is gone.
_MADE = """
    (select i, m, (m - 1) * %(nights)s + 1 as queue, (i %% 1000) || '/采访 ' || lpad(i::text, 9, '0') || '.mp4' as key
     from (select i, case when i %% 5 > 0 then 1 else 2 + i / 5 %% (%(migrations)s - 1) end as m
           from generate_series(%(first)s::int, %(last)s::int) i) numbered) made
"""
_PARTS = (
    f"""insert into vod_migrate.objects (source_id, migration_id, run_no, registered, gone, new_register, size, last_modified, call_id, key,
                                         etag, storage_class, media_id, sent, code, message)
        select m, m, (select run_no from vod_migrate.runs where queue_no = queue), i %% 50 <> 7, i %% 1000 = 13, i %% 50 <> 7 or null, i,
               %(begin)s, i / 10, key, md5(i::text), 'Standard', case when i %% 50 <> 7 then md5('media' || i) end,
               jsonb_build_object('Title', '采访 ' || i), case when i %% 50 = 7 then 'Code.' || (i / 50 %% 12) end,
               case when i %% 50 = 7 then 'the service says no' end
        from {_MADE} where i %% 100 <> 11""",  # noqa: S608 - our own text
    f"""insert into vod_migrate.work (source_id, queue_no, block_id, key, size, etag, last_modified, storage_class)
        select m, queue, (select min(block_id) from vod_migrate.blocks where queue_no = queue), key, i, md5(i::text), %(begin)s, 'Standard'
        from {_MADE} where i %% 100 = 11""",  # noqa: S608 - our own text
    f"""insert into vod_migrate.events (source_id, run_no, call_id, what, key, code, message)
        select m, (select run_no from vod_migrate.runs where queue_no = queue), i / 10, 'failed', key, 'Code.' || (i / 50 %% 12),
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
    """insert into vod_migrate.totals (migration_id, worker_no, state, code, objects)
       select migration_id, 1, case when gone then 'gone' when registered then 'registered' else 'failed' end, coalesce(code, ''), count(*)
       from vod_migrate.objects group by 1, 3, 4""",
    "vacuum analyze",
)


def fill(url: str, results: int) -> None:
    """Makes the rows as runs would leave them; each migration has a bucket of its own."""
    spec = parse_migration(
        {"name": BIG, "source": {"bucket": "archive"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
        origin="benchmark",
    )
    facts: dict[str, Any] = {
        "migrations": MIGRATIONS,
        "nights": NIGHTS,
        "begin": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=results / 10 * BETWEEN_CALLS),
        "between": BETWEEN_CALLS,
        "run": f"{BIG}-0",
        "spec": spec.model_dump_json(by_alias=True),
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set synchronous_commit to off")
        for query in _BEGINNINGS:
            connection.execute(query.encode(), facts if "%" in query else None)
        for query in _PARTS:
            for first in range(1, results + 1, AT_ONCE):
                part = {"first": first, "last": min(results, first + AT_ONCE - 1)}
                connection.execute(query.encode(), facts | part)
        for query in _ENDINGS:
            connection.execute(query.encode())


def reads(store: Store) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What the pages read, each as a name and a read."""
    everything, viewer = None, frozenset({f"vod_backfill__{BIG}", "vod_backfill__archive_17"})
    middle = PageCursor(migration=BIG, account="default", bucket=BIG, key="5")
    page = find_objects(store, read_search(), readable=viewer, after=middle)
    some = page.lines[7]
    media = next(line.media_id for line in page.lines if line.media_id)
    yield "migrations, 40 lines with 30 nights", lambda: migrations_page(store, readable=everything)
    yield "migrations, a viewer's two", lambda: migrations_page(store, readable=viewer)
    yield "quota", lambda: quota_bars(store, readable=viewer)
    yield "objects, first page", lambda: find_objects(store, read_search(), readable=everything)
    yield "objects, deep inside", lambda: find_objects(store, read_search(), readable=viewer, after=middle)
    yield "objects, the page before", lambda: find_objects(store, read_search(), readable=viewer, before=middle)
    yield "objects, by prefix", lambda: find_objects(store, read_search("77/"), readable=viewer)
    yield (
        "objects, by a prefix that none has",
        lambda: find_objects(store, read_search("nowhere/"), readable=everything),
    )
    yield "objects, gone", lambda: find_objects(store, read_search(state="gone"), readable=viewer, after=middle)
    yield "objects, by code", lambda: find_objects(store, read_search(code="Code.3"), readable=viewer, after=middle)
    yield "objects, by MediaId", lambda: find_objects(store, read_search(str(media)), readable=viewer)
    yield "codes to choose from", lambda: found_codes(store, readable=everything)
    yield "one object", lambda: object_history(store, some.account, some.bucket, some.key, readable=viewer)
    yield "runs of a DAG", lambda: runs_of_dag(store, f"vod_backfill__{BIG}", readable=viewer)
    yield (
        "run of a DAG run",
        lambda: runs_of_dag_run(store, f"vod_backfill__{BIG}", "scheduled__0", readable=viewer),
    )
    yield "report of the run with 4 of 5 objects", lambda: load_report(store, f"{BIG}-0")


def stories(store: Store) -> Iterator[tuple[str, Callable[[], Any]]]:
    """`explain` for an object in every state; OSS answers at once, and VOD is not asked."""
    original = 100_001
    copy = f"{BIG}/copies/one.mp4"

    def head(_: str, key: str) -> ObjectFacts | None:
        if not key.startswith("copies/"):
            return None
        return ObjectFacts(
            size=original,
            etag=hashlib.md5(str(original).encode(), usedforsecurity=False).hexdigest(),
            last_modified=dt.datetime.now(dt.UTC),
            storage_class="Standard",
            restored=None,
        )

    names = {
        "registered": _key_of(1),
        "failed": _key_of(57),
        "gone": _key_of(13),
        "waiting": _key_of(11),
        "by MediaId": hashlib.md5(b"media1", usedforsecurity=False).hexdigest(),
        "never seen": f"{BIG}/nowhere/none.mp4",
        "never seen, left out": f"{BIG}/nowhere/none.txt",
        "never seen, a copy of another": copy,
        "of an unknown bucket": "nobodys-bucket/a.mp4",
    }
    told = explain(store, read_name(copy), region="cn-shanghai", ask_oss=head, ask_vod=None)
    if told.alike is None:
        raise SystemExit("the copy was not recognised")
    for what, name in names.items():

        def read(name: str = name) -> Any:
            return explain(store, read_name(name), region="cn-shanghai", ask_oss=head, ask_vod=None)

        yield f"explain, {what}", read


def _key_of(number: int) -> str:
    return f"{BIG}/{number % 1000}/采访 {number:09}.mp4"


def exports(play: Stage) -> bool:
    """Exports a ninth of a migration, then all of it, in each format; prints what that took, and returns whether memory was the same."""
    print("| export | rows | seconds | at most |\n|---|---|---|---|")
    flat = True
    for form in ("csv", "jsonl", "parquet"):
        held = []
        for prefix in ("1", ""):
            began = time.monotonic()
            place = play.folder / f"exported.{form}"
            process = play.start(
                "export", BIG, "--prefix", prefix, "--to", str(place), "--json", stdout=subprocess.PIPE
            )
            told = json.loads(process.stdout.read()) if process.stdout is not None else {}
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            held.append(used.ru_maxrss * 1024)
            row = f"| {form} | {told['rows']:,} | {time.monotonic() - began:.0f} | {held[-1] / 1e6:.0f} MB |"
            print(f"{row} {place.stat().st_size / 1e6:,.0f} MB written", flush=True)
            place.unlink()
        flat = flat and held[1] - held[0] <= MOST_MORE_BYTES
    return flat


def measured(read: Callable[[], Any], times: int) -> tuple[float, float]:
    """(median, slowest) in milliseconds."""
    read()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        read()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), max(taken)


PAGES = {
    "migrations": "migrations",
    "a migration": f"migration?name={BIG}&account=default",
    "objects": "objects",
    "objects, by prefix": "objects?q=77/",
    "objects, failed": "objects?state=failed",
    "objects, deep inside": f"objects?after={PageCursor(migration=BIG, account='default', bucket=BIG, key='5').token()}",
    "one object": f"object?account=default&bucket={BIG}&key={quote('711/采访 000004711.mp4')}",
    "runs of a DAG": f"dags/vod_backfill__{BIG}",
    "the run with 4 of 5 objects": f"dags/vod_backfill__{BIG}/runs/scheduled__0",
    "its live part": f"runs/{BIG}-0/live",
    "objects as CSV, the first byte": "objects.csv",
}


def pages(folder: Path, url: str, times: int) -> None:
    """Prints how long the first byte of each page takes, asked for one after the other by an administrator."""
    import httpx  # noqa: PLC0415 - comes with Airflow

    from demo.local_airflow import airflow_environment, local_airflow  # noqa: PLC0415 - needs Airflow

    repository = Path(__file__).resolve().parents[1]
    metadata = f"sqlite:///{folder / 'airflow.db'}"
    environment = airflow_environment(folder, dags=folder / "dags", database=metadata, plugins=repository / "plugins")
    environment |= {"VOD_MIGRATE_DATABASE_URL": url, "PYTHONPATH": str(repository)}
    (folder / "dags").mkdir()
    print("| page | first byte, median | slowest |\n|---|---|---|")
    with local_airflow(folder, environment) as airflow:
        login = {"username": "admin", "password": "admin"}
        told = httpx.post(f"{airflow.api.base_url}/auth/token", json=login, trust_env=False, timeout=60)
        cookies = {"_token": told.json()["access_token"]}
        base = f"{airflow.api.base_url}/vod-reports/"
        with httpx.Client(base_url=base, cookies=cookies, trust_env=False, timeout=60) as client:
            for name, path in PAGES.items():

                def read(path: str = path) -> None:
                    with client.stream("GET", path, headers={"accept": "text/html"}) as answer:
                        answer.raise_for_status()
                        next(answer.iter_raw(1))

                median, slowest = measured(read, times)
                print(f"| {name} | {median:.0f} ms | {slowest:.0f} ms |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=5_000_000)
    parser.add_argument("--times", type=int, default=21)
    parser.add_argument("--airflow", action="store_true", help="the pages too")
    parser.add_argument("--url", help="a database that is filled already")
    options = parser.parse_args()
    with stage() as play:
        url = options.url or play.database()
        if not options.url:
            began = time.monotonic()
            fill(url, options.results)
            print(f"made {options.results:,} results in {time.monotonic() - began:.0f} s")
        with Store.open(url) as store:
            with store.connection() as connection:
                query = "select version() as version, pg_size_pretty(pg_database_size(current_database())) as size"
                row = connection.execute(query).fetchone() or {}
            print(f"{row['version'].split(' on ')[0]}, {row['size']}; {_machine()}, load {os.getloadavg()[0]:.1f}")
            print("| read | median | slowest |\n|---|---|---|")
            for name, read in reads(store):
                median, slowest = measured(read, options.times)
                print(f"| {name} | {median:.1f} ms | {slowest:.1f} ms |", flush=True)
            slowest_story = 0.0
            for name, read in stories(store):
                median, slowest = measured(read, options.times)
                slowest_story = max(slowest_story, slowest)
                print(f"| {name} | {median:.1f} ms | {slowest:.1f} ms |", flush=True)
        play.environment["VOD_MIGRATE_DATABASE_URL"] = url
        flat = exports(play)
        if options.airflow:
            pages(play.folder, url, options.times)
    if slowest_story > MOST_STORY_MS or not flat:
        raise SystemExit("a target was missed")


def _machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    return f"{os.cpu_count()} cores, {names[0].partition(':')[2].strip() if names else platform.machine()}"


if __name__ == "__main__":
    main()
