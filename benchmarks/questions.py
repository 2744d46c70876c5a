"""The questions that pages and commands ask the results database, each as a name and a read, over the rows of `filled.py`."""

from __future__ import annotations

import datetime as dt
import hashlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from filled import BIG, BUCKET, FOLDER, NEIGHBOUR, key_of

from vod_migrate.audit.explanation import explain, read_name
from vod_migrate.cloud.oss import ObjectFacts
from vod_migrate.migration.export import ExportedRows
from vod_migrate.report.browse.history import object_history
from vod_migrate.report.browse.migrations import migration_line, migrations_page
from vod_migrate.report.browse.objects import find_objects, found_codes, found_migrations, seen_migrations
from vod_migrate.report.browse.quota import quota_bars
from vod_migrate.report.browse.runs import runs_of_dag, runs_of_dag_run, runs_of_migration
from vod_migrate.report.browse.search import PageCursor, Search, read_search
from vod_migrate.report.loader import load_report
from vod_migrate.report.status import status_rows
from vod_migrate.report.tables import ResultScope, failure_table, mapping_table, result_rows
from vod_migrate.results.books import Stretch
from vod_migrate.results.store import Store

Reads = Iterator[tuple[str, Callable[[], Any]]]
MOST_MS = 1_000


def measured(read: Callable[[], Any], times: int) -> tuple[float, float]:
    """(median, slowest) in milliseconds, after one read that is not counted. What takes seconds is read a few times only."""
    read()
    taken: list[float] = []
    while len(taken) < times and (len(taken) < 3 or sum(taken) < 10 * MOST_MS):
        began = time.perf_counter()
        read()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken), max(taken)


def pages(store: Store) -> Reads:
    """What the pages inside Airflow read."""
    everything, viewer = None, frozenset({f"vod_backfill__{BIG}", "vod_backfill__archive_17"})

    def objects(
        q: str = "", *, after: PageCursor | None = None, before: PageCursor | None = None, **search: Any
    ) -> Callable[[], Any]:
        wanted: Search = read_search(q, **search)
        return lambda: find_objects(store, wanted, readable=everything, after=after, before=before)

    middle = PageCursor(migration=BIG, account="default", bucket=BUCKET, key=FOLDER + "000100/")
    some = find_objects(store, read_search(), readable=viewer, after=middle).lines
    one = next(line for line in some if line.media_id)
    yield "migrations, 40 lines with 30 nights", lambda: migrations_page(store, readable=everything)
    yield "migrations, a viewer's two", lambda: migrations_page(store, readable=viewer)
    yield "migration", lambda: migration_line(store, "default", BIG, readable=viewer)
    yield "migration, its runs", lambda: runs_of_migration(store, "default", BIG, readable=viewer)
    yield "migrations to transfer to", lambda: seen_migrations(store, readable=everything)
    yield "quota", lambda: quota_bars(store, readable=viewer)
    yield "objects, first page", objects()
    yield "objects, from the last key", objects(backwards=True)
    yield "objects, deep inside", objects(after=middle)
    yield "objects, the page before", objects(before=middle)
    yield "objects, by prefix", objects(FOLDER + "000077/")
    yield "objects, by a prefix that none has", objects("nowhere/")
    for state in ("registered", "failed", "gone", "pending"):
        yield f"objects, {state}", objects(state=state)
        yield f"objects, {state}, deep inside", objects(state=state, after=middle)
    yield "objects, by code", objects(code="Code.3", after=middle)
    yield "objects, by MediaId", objects(str(one.media_id))
    yield "objects of one behind 4 of 5 others' in the bucket", objects(migration=NEIGHBOUR)
    yield "the same, from the last key", objects(migration=NEIGHBOUR, backwards=True)
    yield "the same, registered", objects(migration=NEIGHBOUR, state="registered")
    yield "codes to choose from", lambda: found_codes(store, readable=everything)
    yield "migrations to choose from", lambda: found_migrations(store, readable=everything)
    yield "one object", lambda: object_history(store, one.account, one.bucket, one.key, readable=viewer)
    yield "runs of a DAG", lambda: runs_of_dag(store, f"vod_backfill__{BIG}", readable=viewer)
    yield "run of a DAG run", lambda: runs_of_dag_run(store, f"vod_backfill__{BIG}", "scheduled__0", readable=viewer)
    yield "what a run has left", lambda: store.rest(store.run(f"{BIG}-0"))
    for what, run in (("of the run with 4 of 5 objects", f"{BIG}-0"), ("of a small run", f"{BIG}-1")):
        yield f"report {what}", lambda run=run: load_report(store, run)
        yield f"mapping {what}, first row", lambda run=run: first(mapping_table(store, run).rows)
        yield f"failures {what}, first row", lambda run=run: first(failure_table(store, run).rows)
    yield "failures to examine", lambda: store.failures_spread(store.run(f"{BIG}-0"), "Code.3", 20)


def commands(store: Store) -> Reads:
    """What the command line asks: `status`, `report`, `plan` and `reconcile` of their books, `verify`, `export`."""
    run, small = store.run(f"{BIG}-0"), store.run(f"{BIG}-1")
    shelf = store.shelf("default", BIG, BUCKET)
    first_key, keys = 9_000, [key_of(number) for number in range(9_000, 10_000)]
    stretch = Stretch(prefix="", after=key_of(first_key), until=key_of(first_key + 1000), listed=keys, age=0.0)
    media = [hashlib.md5(f"media{number}".encode(), usedforsecurity=False).hexdigest() for number in range(1000)]
    yesterday = run.created_at - dt.timedelta(hours=22) if run.created_at else None
    yield "status", lambda: status_rows(store)
    yield "status of a migration", lambda: status_rows(store, of=BIG)
    yield "status of a run", lambda: status_rows(store, of=run.run_id)
    yield (
        "facts of 1,000 keys",
        lambda: store.facts_of_keys(shelf, keys, recent=60.0, millionths=1_000_000, seed=0),
    )
    yield "facts of 1,000 keys that are not listed", lambda: list(store.facts_not_listed(shelf, stretch))
    yield (
        "facts not listed, nothing listed",
        lambda: first(store.facts_not_listed(shelf, Stretch(prefix="", after="", until=None, listed=(), age=0.0))),
    )
    yield "1,000 MediaIds among the facts", lambda: store.unknown_media(shelf, media)
    yield "keys of 1,000 that wait", lambda: store.queued_among(shelf, keys)
    yield "1,000 objects that earlier runs left", lambda: store.leftover_page(small, store.scans(small)[0])
    yield "verify, first 2,000", lambda: first(store.registered_objects(run, whole=True))
    yield "verify of a run, first 2,000", lambda: first(store.registered_objects(run))
    yield "verify of a small run", lambda: first(store.registered_objects(small))
    yield "verify, a thousandth, first 2,000", lambda: first(store.registered_objects(run, millionths=1_000))
    yield "whether a run's settings are proven", lambda: store.proven(run)
    yield "keys that were registered alike", lambda: store.registered_keys(run, 20)
    yield "export, first row", lambda: first(result_rows(store, run.run_id, ResultScope(whole=True)))
    yield (
        "export, failures, first row",
        lambda: first(result_rows(store, run.run_id, ResultScope(whole=True, rows=ExportedRows.FAILURES))),
    )
    yield "export of a small run", lambda: sum(1 for _ in result_rows(store, small.run_id, ResultScope(whole=False)))
    yield (
        "export of a prefix",
        lambda: sum(1 for _ in result_rows(store, run.run_id, ResultScope(whole=True, prefix=FOLDER + "000077/"))),
    )
    yield (
        "export since the end of the run",
        lambda: sum(1 for _ in result_rows(store, run.run_id, ResultScope(whole=True, since=store.now()))),
    )
    yield (
        "export since yesterday, first row",
        lambda: first(result_rows(store, run.run_id, ResultScope(whole=True, since=yesterday))),
    )


def first(rows: Iterator[Any]) -> Any:
    """The first of many rows; the rest is left where it is."""
    found = next(rows, None)
    close = getattr(rows, "close", None)
    if close is not None:
        close()
    return found


def stories(store: Store) -> Reads:
    """`explain` for an object in every state; OSS answers at once, and VOD is not asked."""
    original, size = 1, 100_001
    copy = f"{BUCKET}/copies/one.mp4"

    def head(_: str, key: str) -> ObjectFacts | None:
        if not key.startswith("copies/"):
            return None
        return ObjectFacts(
            size=size,
            etag=hashlib.md5(str(original).encode(), usedforsecurity=False).hexdigest(),
            last_modified=dt.datetime.now(dt.UTC),
            storage_class="Standard",
            restored=None,
        )

    names = {
        "registered": f"{BUCKET}/{key_of(1)}",
        "failed": f"{BUCKET}/{key_of(57)}",
        "gone": f"{BUCKET}/{key_of(1013)}",
        "waiting": f"{BUCKET}/{key_of(11)}",
        "by MediaId": hashlib.md5(b"media1", usedforsecurity=False).hexdigest(),
        "never seen": f"{BUCKET}/nowhere/none.mp4",
        "never seen, left out": f"{BUCKET}/nowhere/none.txt",
        "never seen, a copy of another": copy,
        "of an unknown bucket": "nobodys-bucket/a.mp4",
    }
    told = explain(store, read_name(copy), region="cn-shanghai", ask_oss=head, ask_vod=None)
    if told.alike is None:
        raise SystemExit("the copy was not recognised")
    for what, name in names.items():
        yield (
            f"explain, {what}",
            lambda name=name: explain(store, read_name(name), region="cn-shanghai", ask_oss=head, ask_vod=None),
        )
