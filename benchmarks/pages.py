"""How long the pages take over five million results: each query of the read model, and each page of the app where Airflow is installed.

    python benchmarks/pages.py                     # 5,000,000 results, about 10 minutes to make, 6 GB of disk
    python benchmarks/pages.py --results 200000    # a first look
    python benchmarks/pages.py --airflow           # the pages too, from the API server of a real Airflow

The rows are made by SQL, as a night with 4 of 5 objects in one run would leave them. Every figure is a median of `--times` reads
after one that is not counted; the slowest is beside it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from stage import stage

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

_RUNS = """
    insert into runs (run_id, account, migration, bucket, mode, options, spec, spec_digest, origin, dag_id, dag_run_id, task_group,
                      state, created_at, alive_at, finished_at, summary)
    select m.name || '-' || n, 'default', m.name, 'media-archive', 'new', '{}', jsonb_set(%(spec)s::jsonb, '{name}', to_jsonb(m.name)), '',
           'airflow', 'vod_backfill__' || m.name, 'scheduled__' || n, '', 'succeeded', %(begin)s - n * interval '1 day',
           %(begin)s - n * interval '1 day', %(begin)s - n * interval '1 day' + interval '3 hours',
           '{"counts": {"pending": 0, "unknown": 0}}'
    from (select 'archive_' || lpad(i::text, 2, '0') as name from generate_series(1, %(migrations)s) i) m,
         generate_series(0, %(nights)s - 1) n
"""
_RUNNING = """
    update runs set state = 'running', finished_at = null, summary = null, origin = 'airflow', alive_at = now()
    where run_id = %(run)s
"""
# One object in five belongs to one of the smaller migrations; one in fifty has failed, one in a hundred waits.
_RESULTS = """
    insert into results (account, bucket, key, migration, size, etag, last_modified, storage_class, state, media_id, new_register, code,
                         message, request_id, description, attempts, queued_run, settled_run, registered_at)
    select 'default', 'media-archive', name || '/' || (i %% 1000) || '/采访 ' || lpad(i::text, 9, '0') || '.mp4', name, i, md5(i::text),
           %(begin)s, 'Standard', state, case when state in ('registered', 'gone') then md5('media' || i) end,
           case when state = 'registered' then true end,
           case when state = 'failed' then 'Code.' || (i / 50 %% 12) end, case when state = 'failed' then 'the service says no' end,
           md5('request' || i / 10), jsonb_build_object('Title', '采访 ' || i), 1, name || '-0', name || '-0',
           case when state = 'registered' then %(begin)s end
    from (select i, case when i %% 5 > 0 then %(big)s else 'archive_' || lpad((2 + i / 5 %% (%(migrations)s - 1))::text, 2, '0') end as name,
                 case when i %% 50 = 7 then 'failed' when i %% 100 = 11 then 'pending' when i %% 1000 = 13 then 'gone' else 'registered' end
                   as state
          from generate_series(%(first)s::int, %(last)s::int) i) made
"""
_CALLS = """
    insert into calls (call_id, run_id, worker, api, started_at, seconds, answer, http_status, request_id, files)
    select md5('call' || i)::uuid, %(run)s, 'host:1/one', 'RegisterMedia', %(begin)s + i * %(between)s * interval '1 second', 0.2,
           case when i %% 500 = 3 then 'throttled' else 'ok' end, 200, md5('request' || i), 10
    from generate_series(%(first)s::int, %(last)s::int) i
"""
_OUTCOMES = """
    insert into outcomes (result_id, call_id, run_id, outcome, code, recorded_at)
    select result_id, md5('call' || size / 10)::uuid, queued_run, state, code, %(begin)s from results
    where result_id between %(first)s and %(last)s and state in ('registered', 'failed')
"""


def fill(url: str, results: int) -> None:
    """Makes the rows, through the triggers that keep the totals."""
    spec = parse_migration(
        {"name": BIG, "source": {"bucket": "media-archive"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
        origin="benchmark",
    )
    facts: dict[str, Any] = {
        "migrations": MIGRATIONS,
        "nights": NIGHTS,
        "begin": dt.datetime.now(dt.UTC) - dt.timedelta(seconds=results / 10 * BETWEEN_CALLS),
        "between": BETWEEN_CALLS,
        "big": BIG,
        "run": f"{BIG}-0",
        "spec": spec.model_dump_json(by_alias=True),
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set synchronous_commit to off")
        connection.execute(_RUNS.encode(), facts)
        connection.execute(_RUNNING.encode(), facts)
        connection.execute("insert into quotas (account, api, rate) values ('default', 'RegisterMedia', 47)")
        for query, rows in ((_RESULTS, results), (_CALLS, results // 10), (_OUTCOMES, results)):
            for first in range(0, rows, AT_ONCE):
                last = min(rows, first + AT_ONCE) - (0 if query is _OUTCOMES else 1)
                connection.execute(query.encode(), facts | {"first": first + (query is _OUTCOMES), "last": last})
        connection.execute("vacuum analyze")


def reads(store: Store) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What the pages read, each as a name and a read."""
    everything, viewer = None, frozenset({f"vod_backfill__{BIG}", "vod_backfill__archive_17"})
    middle = PageCursor(migration=BIG, account="default", key=f"{BIG}/5", result_id=0)
    page = find_objects(store, read_search(), readable=viewer, after=middle)
    some = page.lines[7]
    media = next(line.media_id for line in page.lines if line.media_id)
    yield "migrations, 40 lines with 30 nights", lambda: migrations_page(store, readable=everything)
    yield "migrations, a viewer's two", lambda: migrations_page(store, readable=viewer)
    yield "quota", lambda: quota_bars(store, readable=viewer)
    yield "objects, first page", lambda: find_objects(store, read_search(), readable=everything)
    yield "objects, deep inside", lambda: find_objects(store, read_search(), readable=viewer, after=middle)
    yield "objects, the page before", lambda: find_objects(store, read_search(), readable=viewer, before=middle)
    yield "objects, by prefix", lambda: find_objects(store, read_search(f"{BIG}/77/"), readable=viewer)
    yield (
        "objects, by a prefix that none has",
        lambda: find_objects(store, read_search("nowhere/"), readable=everything),
    )
    yield "objects, gone", lambda: find_objects(store, read_search(state="gone"), readable=viewer, after=middle)
    yield "objects, by code", lambda: find_objects(store, read_search(code="Code.3"), readable=viewer, after=middle)
    yield "objects, by MediaId", lambda: find_objects(store, read_search(str(media)), readable=viewer)
    yield "codes to choose from", lambda: found_codes(store, readable=everything)
    yield "one object", lambda: object_history(store, some.result_id, readable=viewer)
    yield "runs of a DAG", lambda: runs_of_dag(store, f"vod_backfill__{BIG}", readable=viewer)
    yield (
        "run of a DAG run",
        lambda: runs_of_dag_run(store, f"vod_backfill__{BIG}", "scheduled__0", readable=viewer),
    )
    yield "report of the run with 4 of 5 objects", lambda: load_report(store, f"{BIG}-0")


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
    "objects, by prefix": f"objects?q={BIG}/77/",
    "objects, failed": "objects?state=failed",
    "objects, deep inside": f"objects?after={PageCursor(migration=BIG, account='default', key=f'{BIG}/5', result_id=0).token()}",
    "one object": "objects/4711",
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
                row = connection.execute(
                    "select version(), pg_size_pretty(pg_database_size(current_database()))"
                ).fetchone()
            print(
                f"{row[0].split(' on ')[0] if row else ''}, {row[1] if row else ''}; {_machine()}, load {os.getloadavg()[0]:.1f}"
            )
            print("| read | median | slowest |\n|---|---|---|")
            for name, read in reads(store):
                median, slowest = measured(read, options.times)
                print(f"| {name} | {median:.1f} ms | {slowest:.1f} ms |", flush=True)
        if options.airflow:
            pages(play.folder, url, options.times)


def _machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    return f"{os.cpu_count()} cores, {names[0].partition(':')[2].strip() if names else platform.machine()}"


if __name__ == "__main__":
    main()
