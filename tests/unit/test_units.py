"""Lengths of time and parts of a whole as a migration file writes them."""

from __future__ import annotations

from typing import Any

import pytest

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.schedule import starts_within
from vod_migrate.migration.units import ALL_PARTS, percent_of


def migration(verify: Any, **content: Any) -> Migration:
    plain = {"name": "nightly", "source": {"bucket": "media-archive"}, "register": {"template_group_id": "x"}}
    return parse_migration({**plain, **content, "verify": verify}, origin="nightly.yaml")


@pytest.mark.parametrize(
    ("written", "seconds"), [("0s", 0), ("90s", 90), ("30 m", 1_800), ("2h", 7_200), ("7d", 604_800)]
)
def test_a_length_of_time_is_read_and_stays_as_it_was_written(written: str, seconds: int) -> None:
    verify = migration({"after": written}).verify
    assert verify is not None
    assert (verify.after, verify.after_seconds) == (written.replace(" ", ""), seconds)


@pytest.mark.parametrize(
    ("written", "shown", "millionths"),
    [
        ("1 %", "1 %", 10_000),
        ("0.5%", "0.5 %", 5_000),
        (0.01, "1 %", 10_000),
        ("0.01", "1 %", 10_000),
        (1e-6, "0.0001 %", 1),
        ("100 %", "100 %", ALL_PARTS),
    ],
)
def test_a_part_is_read_as_per_cent_or_share_and_shown_in_per_cent(written: Any, shown: str, millionths: int) -> None:
    verify = migration({"sample": written}).verify
    assert verify is not None
    assert (verify.sample, verify.millionths, percent_of(millionths)) == (shown, millionths, shown)


def test_verify_is_off_unless_it_is_written_and_survives_being_stored() -> None:
    assert migration(None).verify is None
    written = migration({"after": "2 h", "sample": 0.25}, schedule="0 1 * * *")
    assert Migration.model_validate(written.resolved()) == written
    empty = migration({}).verify
    assert empty is not None
    assert (empty.after, empty.sample) == ("30m", "100 %")


@pytest.mark.parametrize(
    ("written", "field", "says"),
    [
        ({"after": 30}, "verify.after", "30m"),
        ({"after": "soon"}, "verify.after", "'soon'"),
        ({"after": "1.5h"}, "verify.after", "whole number"),
        ({"after": "-5m"}, "verify.after", "not a duration"),
        ({"after": "8d"}, "verify.after", "at most 7d"),
        ({"after": None}, "verify.after", "text"),
        ({"sample": 1}, "verify.sample", "write 1 % or 100 %"),
        ({"sample": 5}, "verify.sample", "in per cent"),
        ({"sample": "0 %"}, "verify.sample", "more than 0 %"),
        ({"sample": "101 %"}, "verify.sample", "at most 100 %"),
        ({"sample": -0.5}, "verify.sample", "-0.5"),
        ({"sample": float("nan")}, "verify.sample", "nan"),
        ({"sample": "all"}, "verify.sample", "'all'"),
        ({"afer": "1h"}, "verify.afer", "did you mean 'after'"),
        (True, "verify", "yes or no"),
        ("30m", "verify", "mapping"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_with_field_value_and_fix(written: Any, field: str, says: str) -> None:
    with pytest.raises(BadMigrationFile) as caught:
        migration(written)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{field}: ")
    assert says in problem


@pytest.mark.parametrize(
    ("schedule", "seconds", "starts"),
    [
        ("0 1 * * *", 1_800, 1),
        ("0 1 * * *", 3 * 86_400, 3),
        ("0 1 * * 1", 86_400, 1),
        ("*/10 * * * *", 1_800, 3),
        ("0,5 1 * * *", 3_600, 12),
        ("0 0 29 2 *", 86_400, 1),
        ("@hourly", 0, 0),
    ],
)
def test_runs_that_begin_while_one_waits_are_counted_by_the_shortest_gap(
    schedule: str, seconds: float, starts: int
) -> None:
    assert starts_within(schedule, seconds) == starts


def test_runs_that_would_pile_up_behind_their_verification_are_refused() -> None:
    assert migration({"after": "30m"}, schedule="*/10 * * * *").waiting == 3
    with pytest.raises(BadMigrationFile, match=r"verify\.after: 1d is so long that 24 later runs"):
        migration({"after": "1d"}, schedule="@hourly")
