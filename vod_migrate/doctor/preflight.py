"""What is asked before a run: the settings that every single file would fail on. At most a few requests, often none.

A definite no ends the run before anything is stored or sent. Whatever else happens (no permission for the check, a service
that is away) is no reason not to run: it is logged, and the run finds out by itself. What listing and the first call tell as
soon, such as a missing bucket or a wrong AccessKey, is left to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, CheckStatus, not_checked
from vod_migrate.doctor.timeout import NoAnswer, TimedCall
from vod_migrate.doctor.vod_settings import NO_TRANSCODE, category_check, workflow_check
from vod_migrate.errors import BadSetting, VodMigrateError
from vod_migrate.migration.model import Migration

log = logging.getLogger(__name__)

PREFLIGHT_SECONDS = 5.0
"""For all questions together, which are asked at the same time."""

Ask = Callable[..., Mapping[str, Any]]


def preflight(connection: Connection, migration: Migration) -> None:
    """Ends a run that cannot work before it begins.

    Raises:
        BadSetting: the template group, the workflow or a category does not exist. Denied: categories may not be read.
        AccountStopped: VOD does not know the credentials, does not serve the account, or refuses the request's time.
    """
    for check in _checks(connection, migration):
        if check.error is not None:
            raise _told(check)
        if check.verdict is CheckStatus.NOT_CHECKED:
            log.info("preflight: %s was not checked: %s", check.name, check.answer)


def _checks(connection: Connection, migration: Migration) -> list[Check]:
    group = migration.register_.template_group_id
    describe = migration.describe
    checks = [workflow_check(migration.register_.workflow_id)]
    questions: dict[str, Callable[[Ask], Check]] = {}
    if group not in (None, NO_TRANSCODE):
        questions["template_group"] = partial(_template, group)
    if any(part.category or part.cate_id for part in (describe, *describe.rules)):
        questions["categories"] = lambda ask: category_check(ask, describe)
    if not questions:
        return checks
    # Its SDK takes most of a second to import.
    from vod_migrate.doctor.vod import VodProbe  # noqa: PLC0415 - slow SDK import

    ask = VodProbe(connection).ask
    asked = {name: TimedCall(partial(question, ask), seconds=PREFLIGHT_SECONDS) for name, question in questions.items()}
    return [*checks, *(_answered(name, one) for name, one in asked.items())]


def _template(group: str | None, ask: Ask) -> Check:
    from vod_migrate.doctor.vod import template_check  # noqa: PLC0415 - slow SDK import

    return template_check(ask, group)


def _answered(name: str, asked: TimedCall[Check]) -> Check:
    try:
        return asked.answer()
    except NoAnswer as error:
        return not_checked(name, str(error))


def _told(check: Check) -> VodMigrateError:
    # What comes from VOD's own refusal says what to do; what is found missing does not yet.
    error = check.error
    return BadSetting(f"{error}: {check.fix}") if isinstance(error, BadSetting) or error is None else error
