"""Progress on stderr: of a run, a bar on a terminal with rate, ETA and failures by code, a line every ten seconds elsewhere; of other work, that it goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
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
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.text_format import grouped, visible
from vod_migrate.results.store import Store
from vod_migrate.results.summary import RunCounts

LINE_SECONDS = 10.0
GLANCE_SECONDS = 1.0
MOST_CODES = 3
"""Failures are shown by these codes, the most frequent first, so that a line stays a line."""
_RECENT_GLANCES = 60
"""What a rate is of: on a terminal a minute, as the pages in Airflow have it."""


@contextmanager
def shown_progress(store: Store, run_id: str, *, quiet: bool = False, language: Language = ENGLISH) -> Iterator[None]:
    """Shows how far a run is while the block runs."""
    if quiet:
        yield
        return
    ended = threading.Event()
    show = _bar if sys.stderr.isatty() else _lines
    shower = threading.Thread(target=show, args=(store, run_id, ended, language), daemon=True)
    shower.start()
    try:
        yield
    finally:
        ended.set()
        shower.join(timeout=2.0)


@contextmanager
def shown_wait(text: str) -> Iterator[None]:
    """Shows on a terminal what is being done and for how long, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(text, total=None)
        yield


def _bar(store: Store, run_id: str, ended: threading.Event, language: Language) -> None:
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeElapsedColumn(),
        TextColumn(language.say("left"), markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}", markup=False),
    )
    recent = deque([(time.monotonic(), 0)], maxlen=_RECENT_GLANCES)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("run", total=None, rate="", failed="")
        for counts, codes in _glances(store, run_id, ended, GLANCE_SECONDS):
            recent.append((time.monotonic(), counts.settled))
            rate = (recent[-1][1] - recent[0][1]) / max(0.001, recent[-1][0] - recent[0][0])
            failed = f"{language.say('{n} failed', n=grouped(counts.failed))}{codes}" if counts.failed else ""
            total = counts.settled + counts.pending + counts.unknown
            speed = language.say("{rate} objects/s", rate=f"{rate:>7.0f}")
            progress.update(task, completed=counts.settled, total=total or None, rate=speed, failed=failed)


def _lines(store: Store, run_id: str, ended: threading.Event, language: Language) -> None:
    began = time.monotonic()
    for counts, codes in _glances(store, run_id, ended, LINE_SECONDS):
        seconds = time.monotonic() - began
        left = counts.pending + counts.unknown
        rate = counts.settled / max(0.001, seconds)
        told = [
            f"{language.say('Listed')} {counts.discovered:,}",
            f"{language.say('Registered')} {counts.registered + counts.already_registered:,}",
            f"{language.say('Failed')} {counts.failed:,}{codes}",
            f"{language.say('Pending')} {left:,}",
            language.say("{rate} objects/s", rate=f"{rate:,.0f}"),
        ]
        if rate and left:
            told.append(language.say("{time} to go", time=language.duration(round(left / rate))))
        line = f"{seconds:6.0f} {language.say('s')}  {'  '.join(told)}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the command's output for people


def _glances(store: Store, run_id: str, ended: threading.Event, seconds: float) -> Iterator[tuple[RunCounts, str]]:
    while not ended.wait(seconds):
        began = time.monotonic()
        try:
            counts = store.counts(run_id)
            codes = _by_code(store, run_id) if counts.failed else ""
        except VodMigrateError:
            continue
        yield counts, codes
        # Counting grows with the run; looking must stay far cheaper than working.
        ended.wait(20 * (time.monotonic() - began))


def _by_code(store: Store, run_id: str) -> str:
    outcomes = store.outcome_counts(store.run(run_id))
    found = Counter({code: objects for (outcome, code), objects in outcomes.items() if outcome == "failed"})
    shown = ", ".join(f"{visible(code)} {objects:,}" for code, objects in found.most_common(MOST_CODES))
    more = ", …" if len(found) > MOST_CODES else ""
    return f" ({shown}{more})" if shown else ""
