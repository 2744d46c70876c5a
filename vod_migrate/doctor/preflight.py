"""What is asked before a run: the settings that every single file would fail on. At most a few requests, often none.

A definite no ends the run before anything is stored or sent. Whatever else happens (no permission for the check, a service
that is away) is no reason not to run: it is logged, and the run finds out by itself. What listing and the first call tell as
soon, such as a missing bucket or a wrong AccessKey, is left to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import wait
from functools import partial

from vod_migrate.cloud.clients import open_vod
from vod_migrate.cloud.connection import Connection
from vod_migrate.doctor.checklist import Check, CheckStatus, not_checked
from vod_migrate.doctor.deadline import TIMEOUTS, in_thread
from vod_migrate.doctor.vod import asking
from vod_migrate.doctor.vod_settings import NO_TRANSCODE, Ask, category_check, template_check, workflow_check
from vod_migrate.errors import BadSetting
from vod_migrate.migration.model import Migration

log = logging.getLogger(__name__)

PREFLIGHT_SECONDS = 5.0
"""For all questions together, which are asked at the same time."""


def preflight(connection: Connection, migration: Migration) -> None:
    """Ends a run that cannot work before it begins.

    Raises:
        BadSetting: the template group, the workflow or a category does not exist. Denied: categories may not be read.
        AccountStopped: VOD does not know the credentials, does not serve the account, or refuses the request's time.
    """
    for check in _checks(connection, migration):
        if isinstance(check.error, BadSetting):
            # VOD's own refusal says what to do; what is found missing does not yet.
            raise BadSetting(f"{check.error}: {check.fix}")
        if check.error is not None:
            raise check.error
        if check.verdict is CheckStatus.NOT_CHECKED:
            log.info("preflight: %s was not checked: %s", check.name, check.answer)


def _checks(connection: Connection, migration: Migration) -> list[Check]:
    group = migration.register_.template_group_id
    describe = migration.describe
    questions: dict[str, Callable[[Ask], Check]] = {}
    if group not in (None, NO_TRANSCODE):
        questions["template_group"] = partial(template_check, group=group)
    if any(part.category or part.cate_id for part in (describe, *describe.rules)):
        questions["categories"] = partial(category_check, describe=describe)
    checks = [workflow_check(migration)]
    if questions:
        ask = asking(open_vod(connection, timeouts=TIMEOUTS))
        asked = {name: in_thread(partial(question, ask)) for name, question in questions.items()}
        wait(asked.values(), timeout=PREFLIGHT_SECONDS)
        late = f"no response within {PREFLIGHT_SECONDS:g} s"
        checks += [future.result() if future.done() else not_checked(name, late) for name, future in asked.items()]
    return checks
