"""What listing costs: ours beside the SDKs and beside socket and lxml alone; and a night on which nothing, little, or everything has changed.

A server of its own process sends prepared pages (`page_server.py`), so that it is not what is measured.

    python benchmarks/listing.py [--keys 5000000] [--pages 200]

CPU is that of this process alone, and beside it that of Postgres with all of its processes. alibabacloud-oss-v2 and rclone are measured
where they are there: `pip install alibabacloud-oss-v2` into the environment of this script, and `apt install rclone`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import psutil
import psycopg
from figures import Figures
from page_server import PAGE, key
from readers import BUCKET, FIELDS, Reader, by_hand, by_us, by_us_at_once, others, our_bucket
from stage import Stage, stage

ROUNDS = 5
AT_ONCE = 16


class Pages:
    """The server, and what it is told."""

    def __init__(self, keys: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import page_server; page_server.run()", str(keys)],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._line())
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def tell(self, what: str, value: float) -> None:
        """`delay` in milliseconds, or how many pages have `changed`."""
        print(what, value, file=self.process.stdin, flush=True)
        self._line()

    def _line(self) -> str:
        return next(self.process.stdout or iter(()))

    def stop(self) -> None:
        """Ends it."""
        self.process.communicate(timeout=10)


class Clock:
    """Seconds: of the wall, of this process's CPU, of Postgres's CPU."""

    def __init__(self, postgres: psutil.Process | None = None) -> None:
        self._postgres = postgres
        self._began = self._now()

    def _now(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), 0.0 if self._postgres is None else cpu_of(self._postgres)

    def spent(self) -> tuple[float, float, float]:
        """Since it began."""
        wall, own, store = (after - before for after, before in zip(self._now(), self._began, strict=True))
        return wall, own, store


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children, also those that have ended."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        if one == process:
            total += times.children_user + times.children_system
    return total


def readers(server: Pages, pages: int) -> None:
    """CPU for each page of 1,000 keys, in turns, so that all of them meet the same machine."""
    kinds = {"vod-migrate": by_us, "socket + lxml": by_hand, **others()}
    # What a program of its own has spent is known at its end.
    kinds.pop("rclone lsf --fast-list", None)
    running = {name: kind(server.endpoint) for name, kind in kinds.items()}
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(ROUNDS + 1):
        for name, found in running.items():
            clock = Clock()
            if sum(islice(found, pages // ROUNDS)) != PAGE * (pages // ROUNDS):
                raise SystemExit(f"{name} did not list what is there")
            if number:  # the first round makes connections and fills caches
                spent[name].append(1000 * clock.spent()[1] / (pages // ROUNDS))
    ours = statistics.median(spent["vod-migrate"])
    figures = Figures("listing_readers", "reader", "CPU a page", "of ours")
    for name, each in spent.items():
        median = statistics.median(each)
        figures.row(name, f"{median:.2f} ms", f"{median / ours:.2f} x")


def delays(server: Pages, keys: int) -> None:
    """What a first listing takes up to objects (rclone's: to lines of text), where OSS takes its time for a page."""
    kinds: dict[str, Reader] = {
        f"vod-migrate, {at_once} at once": partial(by_us_at_once, at_once=at_once) for at_once in (1, 8, AT_ONCE)
    }
    figures = Figures("listing_delays", "reader", "a page takes", "keys", "time", "keys/s", "CPU a page")
    kinds |= {"socket + lxml": by_hand, **others()}
    for delay in (0, 20, 80):
        server.tell("delay", delay)
        for name, kind in kinds.items():
            children, clock = spent_by_children(), Clock()
            found = sum(kind(server.endpoint))
            wall, own, _ = clock.spent()
            if found != keys:
                raise SystemExit(f"{name} listed {found:,} of {keys:,} keys")
            cpu = 1000 * (own + spent_by_children() - children) / (keys / PAGE)
            figures.row(name, f"{delay} ms", keys, f"{wall:.1f} s", f"{keys / wall:,.0f}", f"{cpu:.2f} ms")


def spent_by_children() -> float:
    """CPU seconds of programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Nights:
    """One migration, and what its listings cost."""

    def __init__(self, play: Stage, server: Pages, keys: int, figures: Figures) -> None:
        self.server, self.keys, self.figures = server, keys, figures
        os.environ.update(play.environment)
        self.file = play.folder / "listing.yaml"
        self.url = play.database()
        from vod_migrate.cloud.connection import connection_from_fields  # noqa: PLC0415 - after the stage is set
        from vod_migrate.results.store import Store  # noqa: PLC0415 - after the stage is set

        self.connection = connection_from_fields({**FIELDS, "oss_endpoint": server.endpoint}, origin="benchmark")
        self.store = Store.open(self.url)
        with psycopg.connect(self.url) as connection:
            self.postgres = psutil.Process(psutil.Process(connection.info.backend_pid).ppid())

    def list(self, what: str, *, at_once: int, delay: float = 0, changed: int = 0, bucket: str = BUCKET) -> None:
        """One listing of everything, a row of the table. bucket: one that was never listed begins a first night."""
        from vod_migrate.migration.loader import parse_migration  # noqa: PLC0415 - after the stage is set
        from vod_migrate.migration.options import RunOptions  # noqa: PLC0415 - after the stage is set
        from vod_migrate.run import lifecycle  # noqa: PLC0415 - after the stage is set
        from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - after the stage is set
        from vod_migrate.run.request import Origin  # noqa: PLC0415 - after the stage is set

        self.server.tell("delay", delay)
        self.server.tell("changed", changed)
        source = {"bucket": bucket, "requests_at_once": at_once}
        content = {"name": "listing", "source": source, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}
        run = prepare(
            store=self.store,
            connection=self.connection,
            migration=parse_migration(content, origin="benchmark"),
            options=RunOptions(),
            origin=Origin(),
        )
        self.run = run
        clock = Clock(self.postgres)
        lifecycle.discover(store=self.store, connection=self.connection, run_id=run.run_id, stop=threading.Event())
        wall, own, store = clock.spent()
        counts = self.store.counts(run.run_id)
        if counts.discovered != self.keys:
            raise SystemExit(f"{counts.discovered:,} of {self.keys:,} keys were listed")
        self.figures.row(
            what,
            f"{delay:g} ms",
            at_once,
            self.keys,
            f"{wall:.1f} s",
            f"{self.keys / wall:,.0f}",
            f"{self.keys / own:,.0f}",
            f"{store / own:.1%}",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB",
        )

    def settle(self) -> None:
        """Everything that is queued becomes a registered fact, as calls would have it; ranges learn of it as at the end of a run."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "insert into vod_migrate.objects (source_id, migration_id, run_no, registered, size, last_modified, key, etag, storage_class, "
                "media_id) select w.source_id, q.migration_id, %s, true, w.size, w.last_modified, w.key, w.etag, w.storage_class, "
                "md5(w.key) from vod_migrate.work w join vod_migrate.queues q using (queue_no) order by w.key",
                [self.run.run_no],
            )
            connection.execute("truncate vod_migrate.work, vod_migrate.blocks")
            connection.execute("vacuum analyze vod_migrate.objects, vod_migrate.ranges, vod_migrate.work")
        self.store.finish_run(self.run, state="succeeded", summary={})

    def fill(self, already: int) -> None:
        """Facts and ranges of all other keys, as a first night and its calls leave them: made by SQL, since calls would take a day."""
        from vod_migrate.discover.prefix_pages import list_pages  # noqa: PLC0415 - after the stage is set

        with psycopg.connect(self.url, autocommit=True) as connection:
            for first in range(already, self.keys, 250_000):
                connection.execute(
                    "insert into vod_migrate.objects (source_id, migration_id, run_no, registered, size, last_modified, key, etag, "
                    "storage_class, media_id) select %(source)s, %(migration)s, %(run)s, true, 1048576, '2024-05-01 10:00+00', "
                    "format('archive/2024-%%s/clip-%%s%%s.mp4', f, f, lpad((n %% 1000)::text, 3, '0')), "
                    "'AAAA' || lpad((n %% 1000)::text, 28, '0'), 'Standard', md5(n::text) "
                    "from generate_series(%(first)s, %(last)s) n, lateral (select lpad((n / 1000)::text, 5, '0') f) folder",
                    {
                        "source": self.run.source_id,
                        "migration": self.run.migration_id,
                        "run": self.run.run_no,
                        "first": first,
                        "last": min(first + 250_000, self.keys) - 1,
                    },
                )
            model = connection.execute(
                "select rules, told from vod_migrate.ranges where source_id = %s order by until limit 1",
                [self.run.source_id],
            ).fetchone()
            rules, told = model or (b"", {})
            bucket = our_bucket(self.server.endpoint)
            after = key(already - 1)
            for page in list_pages(bucket, "", after=after):
                if not page.objects:
                    break
                connection.execute(
                    "insert into vod_migrate.ranges (migration_id, source_id, prefix, until, after, queue_no, waiting, listed, digest, rules, "
                    "told) values (%s, %s, '', %s, %s, %s, 0, %s, %s, %s, %s)",
                    [
                        self.run.migration_id,
                        self.run.source_id,
                        page.objects[-1].key,
                        after,
                        self.run.queue_no,
                        len(page.objects),
                        page.digest,
                        rules,
                        json.dumps(told),
                    ],
                )
                after = page.objects[-1].key
            connection.execute("vacuum analyze vod_migrate.objects, vod_migrate.ranges")


@contextmanager
def served(keys: int) -> Iterator[Pages]:
    server = Pages(keys)
    try:
        yield server
    finally:
        server.stop()


def nights(play: Stage, keys: int) -> None:
    """First night, nothing changed, 1 % changed, all changed; and the same with what OSS takes for a page."""
    figures = Figures(
        "listing_nights",
        "night",
        "a page takes",
        "at once",
        "keys",
        "time",
        "keys/s",
        "keys/s of CPU",
        "Postgres' CPU",
        "peak memory",
    )
    few = min(keys, 100_000)
    with served(few) as server:
        small = Nights(play, server, few, figures)
        small.list("first night", at_once=AT_ONCE)
        small.settle()
        for delay in (0, 20, 80):
            for at_once in (1, AT_ONCE):
                small.list("nothing changed", at_once=at_once, delay=delay)
        small.list("everything changed", at_once=AT_ONCE, changed=few // PAGE)
        small.list("everything changed", at_once=AT_ONCE, delay=80)
        with psycopg.connect(small.url) as connection:
            row = connection.execute(
                "select pg_total_relation_size('vod_migrate.ranges') / count(*) from vod_migrate.ranges"
            ).fetchone()
        print(f"a range takes {row[0] if row else 0:,} bytes of the database")
        last = small.run
        for number, (delay, at_once) in enumerate(((20, 1), (20, AT_ONCE), (80, 1), (80, AT_ONCE)), start=2):
            small.list("first night", at_once=at_once, delay=delay, bucket=f"{BUCKET}-{number}")
    if keys > few:
        with served(keys) as server:
            large = Nights(play, server, keys, figures)
            large.run = last
            large.fill(few)
            # Of the small bucket's changes, and of the end, where it stood.
            large.list("grown", at_once=AT_ONCE)
            for delay in (0, 20, 80):
                large.list("nothing changed", at_once=AT_ONCE, delay=delay)
            large.list("1 % changed", at_once=AT_ONCE, changed=keys // PAGE // 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=5_000_000)
    parser.add_argument("--pages", type=int, default=200)
    options = parser.parse_args()
    with stage() as play:
        for name in tuple(os.environ):
            if name.lower() in ("http_proxy", "https_proxy"):
                del os.environ[name]
        with served(2 * options.pages * PAGE) as server:
            readers(server, options.pages)
        with served(options.pages * PAGE // 2) as server:
            delays(server, options.pages * PAGE // 2)
        nights(play, options.keys)


if __name__ == "__main__":
    main()
