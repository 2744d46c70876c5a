"""One migration as a DAG, or as one TaskGroup of somebody else's DAG: the same tasks, a fixed number of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable, Param, TaskGroup, TriggerRule, XComArg

from vod_migrate.airflow.assets import asset_uri
from vod_migrate.airflow.dag_doc import migration_page
from vod_migrate.airflow.operators import (
    DiscoverOperator,
    PlanOperator,
    PrepareOperator,
    RegisterOperator,
    ReportOperator,
)
from vod_migrate.airflow.verification import VerifyOperator
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions

FIRST_DATE = dt.date(2020, 1, 1)
"""How far back a backfill may go where the file does not say."""

ACTIVE_RUNS = 3
"""Nightly runs side by side, so that a long first night does not block the next ones; runs are safe beside each other.

Runs that only wait to be verified come on top.
"""

DISCOVER_PRIORITY = 10
"""Above register's 1: registering waits for discovery, so it must not take the last slot."""

RETRYING: dict[str, Any] = {
    "retries": 3,
    "retry_delay": dt.timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": dt.timedelta(minutes=5),
}
WORKING_RETRIES = 10_000
"""Of the tasks that work for hours or days: each restart of an Airflow worker costs a try. What a retry cannot mend fails at once."""

_COPIED = (
    "type", "format", "items", "minimum", "maximum", "exclusiveMinimum", "enum", "title", "section", "values_display",
)  # fmt: skip
"""What the form takes of an option's schema."""


class MigrationGroup(TaskGroup):
    """The tasks of one migration inside another DAG."""

    @property
    def summary(self) -> XComArg:
        """The run's summary, for a task after the group: what `vod-migrate run --json` prints, as a dict."""
        report = self.children[f"{self.group_id}.report"]
        if not isinstance(report, ReportOperator):
            raise TypeError(f"{report.node_id} is not a report: the group was changed")
        return report.output


def migration_dag(migration: Migration, origin: str) -> DAG:
    """The DAG `vod_backfill__<name>`, with the run options as its trigger form.

    origin: the file that the migration was read from, as its page names it.
    """
    with DAG(
        dag_id=migration.dag_id,
        schedule=timetable(migration.schedule, migration.timezone),
        start_date=starting(migration),
        catchup=False,
        max_active_runs=ACTIVE_RUNS + migration.waiting,
        params=trigger_form(),
        tags={"vod", "migration", migration.source.bucket},
        doc_md=migration_page(migration, origin),
        description=f"Registers {migration.source.bucket} in ApsaraVideo VOD",
        default_args=RETRYING,
    ) as dag:
        _tasks(migration, group=None, options=None)
    return dag


def migration_group(
    migration: Migration, *, group_id: str | None = None, options: Mapping[str, Any] | None = None
) -> MigrationGroup:
    """The tasks of a migration as one TaskGroup; call it inside your own DAG. The group fails if the run does.

    `.summary` passes the run's summary to another task. It is the XCom of `<group_id>.report`.

    Args:
        migration: What `load_migration` returns.
        group_id: Default `vod_<name>`; one DAG may hold several groups.
        options: The run's options (`mode`, `date`, …), which may be templates. Your DAG keeps its own params and
            schedule. `{{ date }}` in prefixes is the local date of the data interval's start, if the DAG has one.
    """
    name = group_id or f"vod_{migration.name}".replace(".", "_")
    tooltip = f"Registers {migration.source.bucket}"
    group = MigrationGroup(group_id=name, default_args=RETRYING, tooltip=tooltip)  # type: ignore[arg-type]  # attrs converter
    with group:
        _tasks(migration, group=group, options=options or {})
    return group


def _tasks(migration: Migration, *, group: TaskGroup | None, options: Mapping[str, Any] | None) -> None:
    prepare = PrepareOperator(
        task_id="prepare",
        migration=migration,
        origin_group=group.group_id if group is not None else None,
        options=options,
    )
    ending: list[BaseOperator] = [
        ReportOperator(
            task_id="report",
            prepare_task_id=prepare.task_id,
            connection_id=migration.connection,
            asset=asset_uri(migration.connection, migration.name),
            trigger_rule=TriggerRule.ALL_DONE,
        )
    ]
    if migration.verify is not None:
        ending.append(
            VerifyOperator(
                task_id="verify",
                prepare_task_id=prepare.task_id,
                connection_id=migration.connection,
                trigger_rule=TriggerRule.ALL_DONE,
            )
        )
    shared: dict[str, Any] = {
        "prepare_task_id": prepare.task_id,
        "connection_id": migration.connection,
        "retries": WORKING_RETRIES,
    }
    working: list[BaseOperator] = [DiscoverOperator(task_id="discover", priority_weight=DISCOVER_PRIORITY, **shared)]
    for number in range(1, migration.register_.workers + 1):
        slot = f"register_{number}"
        working.append(RegisterOperator(task_id=slot, slot=slot, **shared))
    for task in ending:
        working >> task
    if not migration.require_approval:
        prepare >> working
        return
    from vod_migrate.airflow.approval import ApproveOperator  # noqa: PLC0415 - needs the provider `standard`

    plan = PlanOperator(task_id="plan", **shared)
    approve = ApproveOperator(
        task_id="approve",
        prepare_task_id=prepare.task_id,
        migration=migration.name,
        hours=migration.approval_hours,
    )
    prepare >> plan >> approve >> working


def timetable(schedule: str | None, timezone: str) -> CronDataIntervalTimetable | None:
    """When a DAG begins its runs; None: only when it is triggered."""
    return None if schedule is None else CronDataIntervalTimetable(schedule, timezone=timezone)


def starting(migration: Migration) -> dt.datetime:
    """The first moment that a DAG of a migration covers."""
    return dt.datetime.combine(migration.start_date or FIRST_DATE, dt.time(), tzinfo=migration.zone)


def trigger_form() -> dict[str, Param]:
    """The run options as Airflow Params, by name; untouched fields mean the migration file's own values."""
    schema = _schema()
    return {name: _field(field, schema["$defs"]) for name, field in schema["properties"].items()}


@cache
def _schema() -> dict[str, Any]:
    # The same for every DAG of a folder.
    return RunOptions.model_json_schema()


def _field(schema: dict[str, Any], definitions: dict[str, Any]) -> Param:
    # Pydantic writes an optional value as anyOf [its schema, null]; Airflow's form wants one list of types.
    merged: dict[str, Any] = {}
    types: list[str] = []
    for branch in schema.get("anyOf", [schema]):
        kind = {**definitions.get(branch.get("$ref", "").rpartition("/")[2], {}), **branch}
        types.append(kind["type"])
        merged |= kind
    given = {key: value for key, value in {**merged, **schema}.items() if key in _COPIED}
    # The form shows a field by the last type that it is given.
    given["type"] = types[0] if len(types) == 1 else sorted(types, key=lambda kind: kind != "null")
    return Param(schema.get("default"), description_md=schema["description"], **given)
