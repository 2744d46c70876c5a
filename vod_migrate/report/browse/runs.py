"""Runs as lines of a list: the runs of a DAG, of one DAG run, of a migration."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from vod_migrate.report.browse.access import QUERIES, Readable, reading
from vod_migrate.results.store import Store

RUNS_A_PAGE = 50
_MOST_OF_DAG_RUN = 200  # task groups of one DAG, each with as many executions as it was cleared


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """One run. left: objects that it still has to send, or had not sent when it ended. calls: to RegisterMedia, None while it runs."""

    run_id: str
    account: str
    migration: str
    mode: str
    state: str
    stop_code: str | None
    dag_id: str | None
    dag_run_id: str | None
    task_group: str | None
    execution: int
    started: dt.datetime
    finished: dt.datetime | None
    registered: int
    already_registered: int
    failed: int
    left: int
    calls: int | None

    @property
    def done(self) -> int:
        """What it registered, new or known to VOD already."""
        return self.registered + self.already_registered

    @property
    def seconds(self) -> float | None:
        """From its start to its end; None while it runs."""
        return None if self.finished is None else (self.finished - self.started).total_seconds()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state == "running"


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedRuns:
    """Which runs of a list, and in which order. state, mode: None for any; after: where an earlier page ended."""

    oldest: bool = False
    state: str | None = None
    mode: str | None = None
    after: tuple[dt.datetime, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunsPage:
    """Runs, in the order that was wanted. more: where the next page begins, None on the last one."""

    lines: tuple[RunLine, ...]
    more: tuple[dt.datetime, str] | None


def readable_run(store: Store, run_id: str, *, readable: Readable) -> RunLine | None:
    """The run of that id, None where there is none or its reader may not see it."""
    return next(iter(_lines(store, readable=readable, most=1, run_id=run_id)), None)


def runs_of_dag_run(store: Store, dag_id: str, dag_run_id: str, *, readable: Readable) -> tuple[RunLine, ...]:
    """What one Airflow DAG run did, the newest first: a run for each of its migrations, and for each time it was cleared."""
    return tuple(_lines(store, readable=readable, most=_MOST_OF_DAG_RUN, dag_id=dag_id, dag_run_id=dag_run_id))


def runs_of_dag(
    store: Store, dag_id: str, *, readable: Readable, wanted: WantedRuns = WantedRuns(), most: int = RUNS_A_PAGE
) -> RunsPage:
    """The runs of a DAG."""
    return _page(store, readable=readable, wanted=wanted, most=most, dag_id=dag_id)


def runs_of_migration(
    store: Store,
    account: str,
    migration: str,
    *,
    readable: Readable,
    wanted: WantedRuns = WantedRuns(),
    most: int = RUNS_A_PAGE,
) -> RunsPage:
    """The runs of a migration that its reader may see, whichever DAG they belong to."""
    return _page(store, readable=readable, wanted=wanted, most=most, account=account, migration=migration)


def _page(store: Store, *, readable: Readable, wanted: WantedRuns, most: int, **narrowed: str) -> RunsPage:
    lines = _lines(store, readable=readable, most=most + 1, wanted=wanted, **narrowed)
    shown = tuple(lines[:most])
    more = (shown[-1].started, shown[-1].run_id) if len(lines) > most else None
    return RunsPage(lines=shown, more=more)


def _lines(
    store: Store, *, readable: Readable, most: int, wanted: WantedRuns = WantedRuns(), **narrowed: str
) -> list[RunLine]:
    unnamed: dict[str, Any] = dict.fromkeys(("run_id", "dag_id", "dag_run_id", "account", "migration"))
    beyond, beyond_run = wanted.after or (None, None)
    chosen = {"state": wanted.state, "mode": wanted.mode, "beyond": beyond, "beyond_run": beyond_run}
    asked = unnamed | narrowed | chosen
    with reading(store, readable) as reader:
        return [RunLine(**row) for row in reader.rows(QUERIES.run_lines, down=not wanted.oldest, most=most, **asked)]
