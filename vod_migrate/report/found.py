"""Runs by where they came from: a DAG run of Airflow may hold several, one for each task group and each time it was cleared."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

from vod_migrate.report.load import QUERIES
from vod_migrate.results.store import Store

__all__ = ["FoundRun", "find_run", "runs_of_dag_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRun:
    """What identifies a run and says who may see it. dag_id: None for a run by hand; execution: counts the clears."""

    run_id: str
    account: str
    migration: str
    state: str
    mode: str
    dag_id: str | None
    dag_run_id: str | None
    task_group: str | None
    execution: int
    started: dt.datetime

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> Self:
        """From the queries find_run and runs_of_dag_run."""
        return cls(**dict(zip(cls.__slots__, row, strict=True)))

    @property
    def whole_dag(self) -> bool:
        """Whether the DAG is the migration's own, so that a conf reaches the run's options."""
        return self.dag_id is not None and not self.task_group


def find_run(store: Store, run_id: str) -> FoundRun | None:
    """A run by its id, None if there is none.

    Raises:
        StoreUnreachable
    """
    with store.connection() as connection:
        row = QUERIES.find_run(connection, run_id=run_id)
    return None if row is None else FoundRun.from_row(row)


def runs_of_dag_run(store: Store, dag_id: str, dag_run_id: str) -> tuple[FoundRun, ...]:
    """The runs of one DAG run, the newest first.

    Raises:
        StoreUnreachable
    """
    with store.connection() as connection:
        return tuple(
            FoundRun.from_row(row)
            for row in QUERIES.runs_of_dag_run(connection, dag_id=dag_id, dag_run_id=dag_run_id)
        )
