"""The whole checklist of `vod-migrate doctor`: every check that can be made, whatever became of the others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, Checklist, failed, not_checked, ok
from vod_migrate.doctor.database import store_checks
from vod_migrate.doctor.services import service_checks
from vod_migrate.doctor.source import source_check
from vod_migrate.doctor.timeout import NoAnswer, TimedCall
from vod_migrate.doctor.vod_settings import workflow_check
from vod_migrate.errors import BadOption, VodMigrateError
from vod_migrate.migration.interval import resolve
from vod_migrate.migration.model import Migration

T = TypeVar("T")

ORDER = (
    "file", "connection", "database", "schema", "quota", "oss", "vod", "clock", "credentials", "account", "bucket", "region",
    "list", "source", "register", "template_group", "workflow", "categories", "covers", "lookup",
)  # fmt: skip
"""Every check, in the order in which a person mends what failed."""

_GROUP_SECONDS = 120.0


def examine(
    *,
    migration: Callable[[], Migration],
    connection: Callable[[], Connection],
    database_url: Callable[[], str],
) -> Checklist:
    """Makes every check. What each argument gives is asked for here, so that its error is a check, too.

    Nothing is changed: no object, media, category or row is made. Takes as long as the slowest of OSS, VOD, database and source;
    no question takes longer than 12 seconds.
    """
    fix = "correct the file; the answer names each field"
    file, read = _given("file", "reading the migration file", migration, fix)
    fix = "set the field or variable that the answer names"
    line, connected = _given("connection", "reading the connection's settings", connection, fix)
    today = None if read is None else _today(read)
    groups = (
        (("database", "schema", "quota"), lambda: store_checks(database_url, connected)),
        (("oss", "vod"), lambda: service_checks(connected, today)),
        (("source",), lambda: _source(connected, today)),
    )
    asked = [(names, TimedCall(question, seconds=_GROUP_SECONDS)) for names, question in groups]
    checks = [file, line, *_workflow(read)]
    for names, question in asked:
        checks += _answered(names, question)
    by_name = {check.name: check for check in checks}
    return Checklist(
        checks=tuple(by_name.get(name) or not_checked(name, "an earlier check took too long") for name in ORDER)
    )


def _given(name: str, tried: str, give: Callable[[], T], fix: str) -> tuple[Check, T | None]:
    try:
        given = give()
    except VodMigrateError as error:
        return failed(name, tried, error, fix), None
    return ok(name, tried, "every setting can be used"), given


def _today(migration: Migration) -> Migration:
    """The migration as a run of today would work with it."""
    midnight = dt.datetime.combine(dt.datetime.now(migration.zone).date(), dt.time(), migration.zone)
    try:
        return resolve(
            migration, date=midnight.date(), given=False, interval=(midnight, midnight + dt.timedelta(days=1))
        )
    except BadOption:
        # Only a run can tell; its own dates may fit.
        return migration


def _workflow(migration: Migration | None) -> list[Check]:
    if migration is None:
        return [not_checked("workflow", "there is no migration file that can be used")]
    return [workflow_check(migration.register_.workflow_id)]


def _source(connection: Connection | None, migration: Migration | None) -> list[Check]:
    if migration is None:
        return [not_checked("source", "there is no migration file that can be used")]
    return [source_check(connection, migration.source)]


def _answered(names: tuple[str, ...], question: TimedCall[list[Check]]) -> list[Check]:
    try:
        return question.answer()
    except NoAnswer as error:
        return [not_checked(name, str(error)) for name in names]
    except VodMigrateError as error:
        return [not_checked(name, str(error)) for name in names]
