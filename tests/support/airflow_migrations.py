"""The migration files of the one Airflow that dags/ and browser/ share; each test has a migration and a bucket of its own."""

from __future__ import annotations

import json
from typing import Any

from vod_migrate.sandbox.vod.templates import DEFAULT_GROUP

SLOW_OBJECTS = 3_000
"""Enough to watch a run at work, at its five calls a second."""
BROWSED: dict[str, dict[str, Any]] = {
    "interviews": {},
    "hostile": {},
    "slow": {"register": {"calls_per_second": 5}},
}


def _of(name: str, *, prefix: str = "", **content: Any) -> dict[str, Any]:
    """With a bucket of the migration's name."""
    return {"source": {"bucket": name.replace("_", "-"), "prefixes": [prefix]}, **content}


_AT_WORK: dict[str, Any] = {"calls_per_second": 10}
RUN: dict[str, dict[str, Any]] = {
    "whole": _of("whole"),
    "asked": _of("asked", require_approval=True, notify=[{"to": "wecom", "channel": "ops_chat"}]),
    "growing": _of("growing", require_approval=True),
    "verified": _of("verified", register={"template_group_id": DEFAULT_GROUP}, verify={"after": "10s"}),
    "handed": _of(
        "handed",
        export={"to": "oss://handed-tables/{{ date }}/", "format": "parquet"},
        notify=[
            {"to": "dingtalk", "channel": "ops_chat", "events": ["finished"]},
            {
                "to": "airflow",
                "notifier": "file_notifier.FileNotifier",
                "arguments": {"text": "{{ vod.migration }} {{ vod.event }}: {{ vod.link }}"},
                "events": ["finished"],
            },
        ],
    ),
    "hopeless": _of("hopeless", stop_after={"min_outcomes": 50}),
    "crashed": _of("crashed", register=_AT_WORK),
    "failed": _of("failed", register=_AT_WORK),
    "cleared": _of("cleared", register={**_AT_WORK, "workers": 2}),
    "early_nights": _of("early_nights", prefix="in/{{ date }}/", schedule="30 0 * * *"),
    "late_nights": _of("late_nights", prefix="in/{{ date }}/", schedule="0 9 * * *", timezone="America/Los_Angeles"),
}
BROKEN = {"broken": json.dumps({"name": "broken", "source": {}})}
