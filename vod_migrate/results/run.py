"""A run as a value object."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from vod_migrate.migration.model import Migration, PauseAfter
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.migration.window import Window
from vod_migrate.results.stop_code import StopCode


class Gate(StrEnum):
    """Whether the work of a queue may be sent.

    planning: the run only plans, so it writes nothing but its own work. approving: it was approved, and is compared with its plan
    before it opens. done: nothing is left. discarded: its work is being deleted.
    """

    OPEN = "open"
    PLANNING = "planning"
    APPROVING = "approving"
    DONE = "done"
    DISCARDED = "discarded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a migration, with the file as it was when the run was prepared.

    spec_digest: of the file that it was made from. run_no, queue_no, migration_id, source_id: its numbers in the results store, 0 until it is stored. gate: of its queue.
    """

    run_id: str
    account: str
    migration: str
    bucket: str
    mode: Mode
    options: RunOptions
    spec: Migration
    spec_digest: str = ""
    local_date: dt.date | None = None
    origin: str = "cli"
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_group: str | None = None
    state: str = "running"
    stop_code: StopCode | None = None
    stop_message: str | None = None
    created_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    summary: Mapping[str, Any] | None = None
    region: str = ""
    reopened_at: dt.datetime | None = None
    run_no: int = 0
    queue_no: int = 0
    migration_id: int = 0
    source_id: int = 0
    gate: Gate = Gate.OPEN

    @property
    def numbers(self) -> dict[str, Any]:
        """Its numbers, as queries name them."""
        return {
            "run_no": self.run_no,
            "queue_no": self.queue_no,
            "migration_id": self.migration_id,
            "source_id": self.source_id,
        }

    @property
    def adopts(self) -> bool:
        """Whether the run goes on with what earlier runs left: it is narrowed by no option.

        A run of mode failed goes on only with what runs of that mode left.
        """
        chosen = self.options
        narrowing = (chosen.limit, chosen.prefixes, chosen.modified_since, chosen.date, chosen.codes)
        return all(option is None for option in narrowing)

    @property
    def pause_after(self) -> PauseAfter:
        """How much the run may do before it pauses: the file's limits, replaced by the run's own."""
        own, file = self.options, self.spec.pause_after
        return PauseAfter(
            objects=file.objects if own.max_objects is None else own.max_objects,
            calls=file.calls if own.max_calls is None else own.max_calls,
            minutes=file.minutes if own.max_minutes is None else own.max_minutes,
        )

    @property
    def window(self) -> Window | None:
        """When the run may send; None: always."""
        return None if self.options.ignore_window else self.spec.opening

    @property
    def planning(self) -> bool:
        """Whether the run touches nothing but its own work."""
        return self.gate is Gate.PLANNING

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From the query get_run."""
        return cls(
            **{
                **row,
                "mode": Mode(row["mode"]),
                "options": RunOptions.model_validate(row["options"]),
                "spec": Migration.model_validate(row["spec"]),
                "stop_code": None if row["stop_code"] is None else StopCode(row["stop_code"]),
                "gate": Gate(row["gate"]),
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSignal:
    """What a run's workers look at every second. now: the database's clock; scopes: the rates of the run's and its migration's own."""

    state: str
    stop_code: StopCode | None
    stop_message: str | None
    now: dt.datetime
    scopes: tuple[str, ...] = ()
