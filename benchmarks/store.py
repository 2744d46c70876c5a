"""How fast the results database takes rows, how large it gets, and how long each query of a page or a command takes with 20,000,000 results.

The rows are made by SQL, as a night with 4 of 5 objects in one run would leave them (`filled.py`), in 5 to 10 minutes. Rates are of one
process that asks without a pause; 10 calls are recorded together, as at full quota. Each question is asked `--times` times after one that is
not counted; whole pages come from the API server of a real Airflow.

    python benchmarks/store.py                     # 20,000,000 results, 13 GB of disk, 25 minutes
    python benchmarks/store.py --objects 200000    # a first look
    python benchmarks/store.py --skip-airflow      # without the whole pages
    python benchmarks/store.py --keep FOLDER       # leaves the database there, and takes it from there the next time

Target: each question, and so `explain` in every state, within a second, but for `export` and `verify`, which read a whole table; an export in at most 60 MB
more memory than one of a tenth; at most 600 bytes an object.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from figures import Figures
from filled import BIG, BUCKET, FOLDER, fill, key_of
from listing import Clock
from questions import MOST_MS, Reads, commands, measured, pages, stories
from soak import resident
from stage import Stage, postgres_of, stage

from vod_migrate.media import MediaObject
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.report.browse.search import PageCursor
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import SelectedPage
from vod_migrate.results.store import Store
from vod_migrate.results.work import CallRecord, Place, Settlement

MOST_MORE_BYTES = 60e6  # a row group of Parquet is not full in the smaller table
MOST_BYTES = 600
ARRIVALS, PAGE, CALL, TOGETHER = 100_000, 1000, 10, 10
PREFIX = f"new-{os.getpid()}/"
BATCHES = ("export", "verify")
"""Begin what reads a whole table: they may take longer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=20_000_000)
    parser.add_argument("--times", type=int, default=11)
    parser.add_argument("--skip-airflow", action="store_true", help="without the whole pages")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the database stays")
    options = parser.parse_args()
    with stage() as play:
        url = play.database(options.keep)
        with psycopg.connect(url) as connection:
            filled = connection.execute("select exists (select from vod_migrate.objects)").fetchone() == (True,)
        if not filled:
            began = time.monotonic()
            fill(url, options.objects)
            print(f"made {options.objects:,} results in {time.monotonic() - began:.0f} s", flush=True)
        with Store.open(url) as store:
            missed = [*ask(store, options.times), *rates(store, url, min(ARRIVALS, options.objects))]
        missed += exports(play)
        if not options.skip_airflow and importlib.util.find_spec("airflow") is None:
            print("without the whole pages: Airflow is not installed here", file=sys.stderr)
        elif not options.skip_airflow:
            whole_pages(play.folder, url, options.times)
    if missed:
        raise SystemExit("targets were missed: " + "; ".join(missed))


def ask(store: Store, times: int) -> Iterator[str]:
    """Asks every question; yields the targets that were missed."""
    figures = Figures("store_questions", "question", "median", "slowest")
    kinds: tuple[Callable[[Store], Reads], ...] = (pages, commands, stories)
    for kind in kinds:
        for name, read in kind(store):
            median, slowest = measured(read, times)
            figures.row(name, f"{median:.1f} ms", f"{slowest:.1f} ms")
            if median > MOST_MS and not name.startswith(BATCHES):
                yield f"{name} took {median:,.0f} ms"


def rates(store: Store, url: str, count: int) -> Iterator[str]:
    """Takes new objects in, claims them, settles them, and lists them again; yields the target that was missed."""
    with psycopg.connect(url, autocommit=True) as connection:
        weight, results = connection.execute(
            "select (select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'vod_migrate'::regnamespace "
            "and relkind = 'r' and relname not in ('work', 'blocks'))::bigint, (select count(*) from vod_migrate.objects)"
        ).fetchone() or (0, 1)
    figures = Figures("store_rates", "what", "rows", "rows/s", "our CPU a row", "Postgres' CPU a row")
    found = [
        MediaObject(
            bucket=BUCKET,
            key=f"{PREFIX}{key_of(number)}",
            size=number,
            etag=f"{number:032X}",
            last_modified=dt.datetime.now(dt.UTC),
            storage_class="Standard",
        )
        for number in range(count)
    ]
    first, again = _begin(store, "first"), _begin(store, "again")
    with _row(figures, url, "discovered", count):
        place = _list(store, first, found)
    held: list[str] = []
    with _row(figures, url, "claimed", count):
        claimed = store.claim(first, place)
        while claimed.works:
            held += [work.key for work in claimed.works]
            claimed = store.claim(first, place, known=claimed.blocks)
    with _row(figures, url, "settled", count):
        _settle(store, first, place, held)
    with _row(figures, url, "listed again, with another digest", count):
        _list(store, again, found)
    with psycopg.connect(url, autocommit=True) as connection:
        ((settled,),) = connection.execute(
            "select sum(objects)::bigint from vod_migrate.counts where run_no = %s", (first.run_no,)
        ).fetchall()
    if not len(held) == settled == count:
        raise SystemExit(f"{count:,} objects were listed, {len(held):,} claimed and {settled:,} settled")
    print(f"{results:,} results take {weight / results:.0f} bytes each, with their audit and all indexes", flush=True)
    Figures("store_bytes", "results", "bytes each, with their audit").row(results, f"{weight / results:.0f}")
    if weight > MOST_BYTES * results:
        yield f"a result takes {weight / results:.0f} bytes"


def _begin(store: Store, run_id: str) -> Run:
    spec = parse_migration(
        {
            "name": "arrivals",
            "source": {"bucket": BUCKET, "prefixes": [PREFIX]},
            "register": {"template_group_id": "VOD_NO_TRANSCODE"},
        },
        origin="benchmark",
    )
    asked = Run(
        run_id=f"arrivals-{run_id}-{os.getpid()}",
        account="default",
        region="cn-shanghai",
        migration=spec.name,
        bucket=BUCKET,
        mode=Mode.NEW,
        options=RunOptions(),
        spec=spec,
        spec_digest="d",
        gate=Gate.OPEN,
    )
    return store.prepare_run(asked, prefixes=[PREFIX], whole=True, leftovers=False)


def _list(store: Store, run: Run, found: list[MediaObject]) -> Place:
    place = store.take_place(run, slot="one", host="benchmark")
    store.take_role(run, place, "discover")
    (scan,) = store.open_scans(run)
    for start in range(0, len(found), PAGE):
        part = tuple(found[start : start + PAGE])
        keys = tuple(one.key for one in part)
        page = SelectedPage(
            keys=keys,
            listed=len(part),
            selected=part,
            left_out={},
            cursor=keys[-1],
            digest=hashlib.blake2b(f"{run.run_no} {start}".encode(), digest_size=16).digest(),
        )
        scan = store.merge_page(run, place, scan, page)
    return place


def _settle(store: Store, run: Run, place: Place, keys: list[str]) -> None:
    for start in range(0, len(keys), CALL * TOGETHER):
        calls, settled = [], []
        for number in range(start, min(len(keys), start + CALL * TOGETHER), CALL):
            call_id = run.run_no << 40 | number
            calls.append(
                CallRecord(call_id=call_id, started_at=dt.datetime.now(dt.UTC), seconds=0.12, answer="ok", files=CALL)
            )
            settled += [
                Settlement(
                    key=key,
                    outcome="registered",
                    media_id=hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(),
                    sent={"Title": key[-16:-4]},
                    call_id=call_id,
                )
                for key in keys[number : number + CALL]
            ]
        store.record(run, place, calls, settled)


@contextmanager
def _row(figures: Figures, url: str, what: str, count: int) -> Iterator[None]:
    clock = Clock(postgres_of(url))
    yield
    wall, own, postgres = clock.spent()
    figures.row(what, count, f"{count / wall:,.0f}", f"{1e6 * own / count:.0f} µs", f"{1e6 * postgres / count:.0f} µs")


def exports(play: Stage) -> Iterator[str]:
    """Exports a part of the big migration and ten times as much in each format; yields the targets that were missed."""
    figures = Figures("store_exports", "export", "rows", "time", "rows/s", "memory")
    for form in ("csv", "jsonl", "parquet"):
        small, large = (_export(play, figures, form, "--prefix", FOLDER + digits) for digits in ("0000", "000"))
        if large - small > MOST_MORE_BYTES:
            yield f"an export as {form} took {large / 1e6:.0f} MB for ten times the rows, {small / 1e6:.0f} MB before"


def _export(play: Stage, figures: Figures, form: str, *arguments: str) -> float:
    """The most bytes of memory that it held."""
    began = time.monotonic()
    place = play.folder / f"exported.{form}"
    process = play.start("export", BIG, *arguments, "--to", str(place), "--json", stdout=subprocess.PIPE)
    memory = 0.0
    while process.poll() is None:
        # Not by wait4, which counts what this process held when it forked.
        memory = max(memory, 2**20 * (resident(process.pid, "VmHWM") or 0.0))
        time.sleep(0.1)
    told = json.loads(process.communicate()[0])
    seconds = time.monotonic() - began
    figures.row(form, told["rows"], f"{seconds:.1f} s", f"{told['rows'] / seconds:,.0f}", f"{memory / 1e6:.0f} MB")
    place.unlink()
    return memory


PAGES = {
    "migrations": "migrations",
    "a migration": f"migration?name={BIG}&account=default",
    "objects": "objects",
    "objects, by prefix": f"objects?q={FOLDER}000077/",
    "objects, failed": "objects?state=failed",
    "objects, deep inside": f"objects?after={PageCursor(migration=BIG, account='default', bucket=BUCKET, key=key_of(100_000)).token()}",
    "one object": f"object?account=default&bucket={BUCKET}&key={quote(key_of(4711))}",
    "runs of a DAG": f"dags/vod_backfill__{BIG}",
    "the run with 4 of 5 objects": f"dags/vod_backfill__{BIG}/runs/scheduled__0",
    "its live part": f"runs/{BIG}-0/live",
    "objects as CSV, the first byte": "objects.csv",
}


def whole_pages(folder: Path, url: str, times: int) -> None:
    """Prints how long the first byte of each page takes, asked for one after the other by an administrator."""
    import httpx  # noqa: PLC0415 - comes with Airflow

    from demo.local_airflow import airflow_environment, local_airflow  # noqa: PLC0415 - needs Airflow

    repository = Path(__file__).resolve().parents[1]
    metadata = f"sqlite:///{folder / 'airflow.db'}"
    environment = airflow_environment(folder, dags=folder / "dags", database=metadata, plugins=repository / "plugins")
    environment |= {"VOD_MIGRATE_DATABASE_URL": url, "PYTHONPATH": str(repository)}
    (folder / "dags").mkdir()
    figures = Figures("store_pages", "page", "first byte, median", "slowest")
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
                figures.row(name, f"{median:.0f} ms", f"{slowest:.0f} ms")


if __name__ == "__main__":
    main()
