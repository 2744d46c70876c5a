"""Plans as the command line makes them, for the tests of plans and of approvals."""

from __future__ import annotations

import threading
from typing import Any

from rigging import Rig

from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import parse_options
from vod_migrate.plan.model import Plan
from vod_migrate.run import planning_run


def plan(rig: Rig, migration: Migration | None = None, *, stop: threading.Event | None = None, **options: Any) -> Plan:
    return planning_run.plan(
        store=rig.store,
        connection=rig.connection,
        migration=migration or rig.migration(),
        options=parse_options(options),
        stop=stop or threading.Event(),
    )
