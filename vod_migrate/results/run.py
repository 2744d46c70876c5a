"""A run as a value object."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from vod_migrate.migration.model import Migration, PauseAfter
from vod_migrate.migration.options import Mode, RunOptions
from vod_migrate.migration.window import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One execution of a migration, with the file as it was when the run was prepared."""

    run_id: str
    account: str
    migration: str
    bucket: str
    mode: Mode
    options: RunOptions
    spec: Migration
    local_date: dt.date | None = None
    origin: str = "cli"
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_group: str | None = None
    state: str = "running"
    stop_code: str | None = None
    stop_message: str | None = None
    created_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    summary: Mapping[str, Any] | None = None
    region: str = ""
    reopened_at: dt.datetime | None = None

    @property
    def adopts(self) -> bool:
        """Whether the run goes on with what earlier runs left: it is narrowed by no option.

        A run of mode failed goes on only with what runs of that mode left.
        """
        chosen = self.options
        narrowing = (chosen.limit, chosen.prefixes, chosen.modified_since, chosen.date, chosen.codes)
        return all(option is None for option in narrowing)

    @property
    def goes_on(self) -> bool:
        """Whether the run takes over anything: all that is left, or the rest of the one that it resumes."""
        return self.adopts or self.options.resume is not None

    @property
    def rest_of(self) -> str | None:
        """The only run whose rest this one takes over; None where it takes over from all."""
        return None if self.adopts else self.options.resume

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
    def bound(self) -> bool:
        """Whether the run may send only what a person has approved."""
        return self.options.approve is not None or self.spec.require_approval

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """From the query get_run."""
        return cls(
            run_id=row[0],
            account=row[1],
            migration=row[2],
            bucket=row[3],
            mode=Mode(row[4]),
            options=RunOptions.model_validate(row[5]),
            spec=Migration.model_validate(row[6]),
            local_date=row[7],
            origin=row[8],
            dag_id=row[9],
            dag_run_id=row[10],
            task_group=row[11],
            state=row[12],
            stop_code=row[13],
            stop_message=row[14],
            created_at=row[15],
            finished_at=row[16],
            summary=row[17],
            region=row[18],
            reopened_at=row[19],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSignal:
    """What a run's workers look at every second. now: the database's clock; scopes: the paces of the run's and its migration's own."""

    state: str
    stop_code: str | None
    stop_message: str | None
    now: dt.datetime
    scopes: tuple[str, ...] = ()
