"""Plans as the command line makes them, for the tests of plans and of approvals."""

from __future__ import annotations

import threading
from typing import Any

from rigging import Rig

from vod_migrate import planner
from vod_migrate.plan.model import Plan
from vod_migrate.spec import Migration, parse_options


def plan(rig: Rig, migration: Migration | None = None, *, stop: threading.Event | None = None, **options: Any) -> Plan:
    return planner.plan(
        store=rig.store,
        connection=rig.connection,
        migration=migration or rig.migration(),
        options=parse_options(options),
        stop=stop or threading.Event(),
    )
