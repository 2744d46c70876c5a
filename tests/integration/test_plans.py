"""Plans against the sandbox: they change nothing, count what the run that follows counts, and hold that run to it."""

from __future__ import annotations

import datetime as dt
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import BUCKET, Rig

from vod_migrate import engine, planner
from vod_migrate.errors import BadOption, Interrupted, PlanChanged, SourceDenied, VodMigrateError
from vod_migrate.plan.model import Plan
from vod_migrate.plan.saving import counts_of
from vod_migrate.spec import Migration, parse_options

EVERYTHING = (
    "select 'r', to_jsonb(r) from results r union all select 'q', to_jsonb(q) from quotas q where api = 'RegisterMedia'"
)


def plan(rig: Rig, migration: Migration | None = None, *, stop: threading.Event | None = None, **options: Any) -> Plan:
    return planner.plan(
        store=rig.store,
        connection=rig.connection,
        migration=migration or rig.migration(),
        options=parse_options(options),
        stop=stop or threading.Event(),
    )


def state(rig: Rig) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True, default=str) for row in rig.rows(EVERYTHING))


def assert_equal(made: Plan, told: engine.Summary) -> None:
    """The plan's numbers are those of the run."""
    ran, planned = told.counts.as_json(), counts_of(made).as_json()
    for number in ("discovered", "left_out", "changed", "gone", "owned_elsewhere", "unchanged", "failed_before"):
        assert planned[number] == ran[number], number
    assert made.queued_elsewhere == told.counts.queued_elsewhere
    settled = told.counts.registered + told.counts.already_registered
    assert (made.to_send, made.would_fail) == (settled, told.counts.failed)


def test_a_plan_sends_nothing_changes_nothing_and_counts_what_the_run_counts(rig: Rig) -> None:
    rig.sandbox.generate(BUCKET, count=3_000, dirt=1, seed=3)
    for number in range(40):
        rig.sandbox.put(BUCKET, f"series/s{number % 4}/part {number // 4}.mp4")
        rig.sandbox.put(BUCKET, f"hls/{number}/seg.ts")
        rig.sandbox.put(BUCKET, f"hls/{number}/index.m3u8")
        rig.sandbox.put(BUCKET, f"refused/{number}/😀.mp4")
    migration = rig.migration(
        describe={"title": "{{ stem }}", "policies": {"title": "fail"}},
        register={"retry_failed": 0},
        stop={"failure_share": 1},
    )
    before = state(rig)
    made = plan(rig, migration)
    assert rig.calls() == 0
    assert state(rig) == before
    told = rig.run(migration, approve=made.digest[:12])
    assert told.error is None
    assert_equal(made, told)
    assert made.batches.calls == told.calls
    assert {one.reason for one in made.left_out} >= {"hls_segment", "extension", "empty"}
    failing = {one.code: one.count for one in made.failing}
    assert failing["title_emoji"] >= 40
    assert failing == dict(
        rig.rows("select code, count(*) from results where state = 'failed' and code is not null group by code")
    )
    assert made.names.texts >= 10
    repeated = {one.text: one.count for one in made.names.samples}
    assert repeated["index.m3u8"] >= 40
    rig.assert_results_equal_truth()
