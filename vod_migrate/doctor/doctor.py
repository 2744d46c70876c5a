"""The whole checklist of `vod-migrate doctor`: every check that can be made, whatever became of the others."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from vod_migrate.cloud.connection import Connection
from vod_migrate.cloud.webhook import webhook_from_environment
from vod_migrate.doctor.checklist import Check, Checklist, failed, not_checked, ok
from vod_migrate.doctor.database import database_away, database_checks
from vod_migrate.doctor.deadline import Lines
from vod_migrate.doctor.outputs import FindNotifier, FindWebhook, output_checks
from vod_migrate.doctor.services import ServiceLines, credentials_failure, today
from vod_migrate.doctor.source import source_checks
from vod_migrate.doctor.vod_settings import workflow_check
from vod_migrate.errors import BadOption, StoreUnreachable, VodMigrateError
from vod_migrate.migration.interval import resolve
from vod_migrate.migration.model import Migration
from vod_migrate.migration.schedule import next_start

T = TypeVar("T")

ORDER = (
    "file", "connection", "database", "schema", "grants", "connections", "quota", "oss", "vod", "clock", "credentials", "account",
    "bucket", "region", "list", "source", "register", "template_group", "workflow", "categories", "covers", "lookup",
    "playback", "export", "notify",
)  # fmt: skip
"""Every check, in the order in which a person mends what failed."""

DEADLINE_SECONDS = 14.0
"""For everything. What is not answered by then is `not checked`; a database or provider that is silent for so long failed."""


def examine(
    *,
    migration: Callable[[], Migration],
    connection: Callable[[], Connection],
    database_url: Callable[[], str],
    webhook: FindWebhook = webhook_from_environment,
    notifier: FindNotifier | None = None,
) -> Checklist:
    """Makes every check. What each argument gives is asked for here, so that its error is a check, too.

    webhook, notifier: as in `output_checks`.

    Nothing is changed: no object, media, category or row is made. Takes DEADLINE_SECONDS at most.
    """
    until = time.monotonic() + DEADLINE_SECONDS
    file, read = _given("file", "reading the migration file", migration, "correct each field that the result names")
    fix = "set the field or variable that the result names"
    line, connected = _given("connection", "reading the connection's settings", connection, fix)
    if read is not None and read.schedule is not None:
        starts = next_start(read.schedule, read.zone, dt.datetime.now(dt.UTC))
        file = replace(
            file, answer=f"{file.answer}; the next scheduled run starts at {starts:%Y-%m-%d %H:%M} ({read.timezone})"
        )
    resolved = None if read is None else _today(read)
    lines, services = Lines(), ServiceLines(connected, resolved)
    lines.start(database_checks(database_url, connected), source_checks(connected, resolved))
    lines.start(output_checks(connected, resolved, webhook, notifier))
    unknown = credentials_failure(connected, until - time.monotonic()) if connected is not None else None
    if unknown is None:
        lines.start(services.oss_checks(), services.vod_checks())
    made = lines.made(until - time.monotonic())
    silent = f"no response within {DEADLINE_SECONDS:g} s"
    checks = {check.name: check for check in (file, line, workflow_check(resolved))} | made
    if unknown is not None:
        checks |= {name: not_checked(name, "no usable credentials") for name in services.names}
        checks["credentials"] = unknown
    else:
        checks |= {check.name: check for check in services.joint_checks()}
    if "database" not in checks:
        checks["database"] = database_away(StoreUnreachable(f"the results database is unreachable: {silent}"))
    return Checklist(checks=tuple(checks.get(name) or not_checked(name, silent) for name in ORDER))


def _given(name: str, tried: str, give: Callable[[], T], fix: str) -> tuple[Check, T | None]:
    try:
        given = give()
    except VodMigrateError as error:
        return failed(name, tried, error, fix), None
    return ok(name, tried, "all settings are valid"), given


def _today(migration: Migration) -> Migration:
    """The migration as a run of today would work with it."""
    date, interval = today(migration)
    try:
        return resolve(migration, date=date, given=False, interval=interval)
    except BadOption:
        # Only a run can tell; its own dates may fit.
        return migration
