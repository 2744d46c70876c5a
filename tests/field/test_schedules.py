"""Schedules as people write them: one check for every command and for Airflow, and each has a next date."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from shell import MIGRATION, Shell

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.schedule import check_schedule, next_start

REFUSED = [
    # a schedule, and words of the answer
    ("@once", "has no data interval: use a cron expression or one of @hourly"),
    ("@continuous", "has no data interval"),
    ("@Daily", "has no data interval"),
    ("0 0 31 2 *", "is not a cron expression that ever matches (failed to find next date)"),
    ("0 0 30 2 *", "ever matches"),
    ("0 0 31 4,6,9,11 *", "ever matches"),
    ("0 0 * * 8", "out of range"),
    ("99 0 * * *", "out of range"),
    ("0 24 * * *", "out of range"),
    ("0 1 * *", "it has five fields"),
    ("0 0 1 * * *", "it has five fields"),
    ("H 1 * * *", "write numbers instead of H and R"),
    ("R 1 * * *", "write numbers instead of H and R"),
    ("01:00 * * * *", "is not a cron expression"),
    ("every day at 1", "is not a cron expression"),
]


@pytest.mark.parametrize(("schedule", "says"), REFUSED)
def test_a_schedule_that_never_comes_is_refused_when_its_file_is_read(schedule: str, says: str) -> None:
    content = {**MIGRATION, "schedule": schedule}
    with pytest.raises(BadMigrationFile) as told:
        parse_migration(content, origin="a.yaml")
    assert "schedule: " in str(told.value)
    assert says in str(told.value)


@pytest.mark.parametrize("command", ["doctor", "plan", "run", "describe"])
def test_every_command_has_the_same_answer(shell: Shell, command: str) -> None:
    file = str(shell.file({**MIGRATION, "schedule": "0 0 31 2 *"}))
    done = shell.run(command, file, *(["a.mp4"] if command == "describe" else []))
    assert (done.returncode, "that ever matches" in done.stdout + done.stderr) == (2, True), done


NEXT = [
    # a schedule, its time zone, now in UTC, and the local time at which it comes next
    ("0 1 * * *", "Asia/Shanghai", "2026-11-25T18:00:00", "2026-11-27T01:00:00+08:00"),
    ("30 23 * * *", "Asia/Shanghai", "2026-11-25T15:00:00", "2026-11-25T23:30:00+08:00"),
    ("0 0 29 2 *", "Asia/Shanghai", "2026-11-25T15:00:00", "2028-02-29T00:00:00+08:00"),
    ("0 0 L * *", "UTC", "2026-02-01T00:00:00", "2026-02-28T00:00:00+00:00"),
    ("@quarterly", "UTC", "2026-02-01T00:00:00", "2026-04-01T00:00:00+00:00"),
    ("0 0 * * MON-FRI", "UTC", "2026-11-27T12:00:00", "2026-11-30T00:00:00+00:00"),
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00", "2026-03-29T03:30:00+02:00"),
    ("30 23 * * *", "America/Nuuk", "2026-03-28T12:00:00", "2026-03-29T00:30:00-01:00"),
]


@pytest.mark.parametrize(("schedule", "zone", "now", "comes"), NEXT)
def test_the_next_date_is_computed_in_the_zone_of_the_migration(schedule: str, zone: str, now: str, comes: str) -> None:
    check_schedule(schedule)
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    assert next_start(schedule, ZoneInfo(zone), moment).isoformat() == comes


def test_doctor_says_when_the_next_run_starts(shell: Shell) -> None:
    done = shell.run("doctor", str(shell.file({**MIGRATION, "schedule": "0 1 * * *"})), "--json")
    checks: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    (answer,) = [check["answer"] for check in checks if check["check"] == "file"]
    assert "the next scheduled run starts at 20" in answer
    assert answer.endswith(" 01:00 (Asia/Shanghai)")


FIELDS = some.text("0123456789*,-/LHR#?MONJAN@ ", max_size=8)


@settings(max_examples=300, deadline=None)
@given(some.lists(FIELDS, min_size=4, max_size=6).map(" ".join))
def test_any_text_is_a_schedule_with_a_next_date_or_is_refused(text: str) -> None:
    try:
        check_schedule(text)
    except ValueError:
        return
    now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    assert next_start(text, ZoneInfo("UTC"), now) > now
