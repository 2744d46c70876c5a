"""A run's progress on stderr: a bar with rate and ETA on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from vod_migrate.errors import VodMigrateError
from vod_migrate.results.store import Store
from vod_migrate.results.summary import RunCounts

LINE_SECONDS = 10.0
GLANCE_SECONDS = 1.0


@contextmanager
def shown_progress(store: Store, run_id: str, *, quiet: bool = False) -> Iterator[None]:
    """Shows how far a run is while the block runs."""
    if quiet:
        yield
        return
    ended = threading.Event()
    show = _bar if sys.stderr.isatty() else _lines
    shower = threading.Thread(target=show, args=(store, run_id, ended), daemon=True)
    shower.start()
    try:
        yield
    finally:
        ended.set()
        shower.join(timeout=2.0)


def _bar(store: Store, run_id: str, ended: threading.Event) -> None:
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>7.0f} objects/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("run", total=None, rate=0.0, failed="")
        for counts in _glances(store, run_id, ended, GLANCE_SECONDS):
            rate = counts.settled / max(0.001, time.monotonic() - began)
            failed = f"{counts.failed:,} failed" if counts.failed else ""
            total = counts.settled + counts.pending + counts.unknown
            progress.update(task, completed=counts.settled, total=total or None, rate=rate, failed=failed)


def _lines(store: Store, run_id: str, ended: threading.Event) -> None:
    began = time.monotonic()
    for counts in _glances(store, run_id, ended, LINE_SECONDS):
        seconds = time.monotonic() - began
        left = counts.pending + counts.unknown
        rate = counts.settled / max(0.001, seconds)
        eta = f", {left / rate:,.0f} s to go" if rate and left else ""
        print(  # noqa: T201 - this is the command's output for people
            f"{seconds:6.0f} s  listed {counts.discovered:,}  registered {counts.registered + counts.already_registered:,}  "
            f"failed {counts.failed:,}  pending {left:,}  {rate:,.0f} objects/s{eta}",
            file=sys.stderr,
            flush=True,
        )


def _glances(store: Store, run_id: str, ended: threading.Event, seconds: float) -> Iterator[RunCounts]:
    while not ended.wait(seconds):
        began = time.monotonic()
        try:
            counts = store.counts(run_id)
        except VodMigrateError:
            continue
        yield counts
        # Counting grows with the run; looking must stay far cheaper than working.
        ended.wait(20 * (time.monotonic() - began))
