"""The parts of a plan that need neither a service nor a database."""

from __future__ import annotations

import datetime as dt
import math
import shlex
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vod_migrate.media import Description, Entry, MediaObject, Rejected
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.model import PauseAfter
from vod_migrate.migration.options import RunOptions, parse_options
from vod_migrate.migration.schedule import next_start
from vod_migrate.migration.window import parse_window
from vod_migrate.plan.dry_lookups import DryLookups
from vod_migrate.plan.estimate import expected_runs, most_seconds
from vod_migrate.plan.model import Plan, PlannedRate
from vod_migrate.plan.samples import SampleDescriptions, Sizes
from vod_migrate.plan.text import command, plan_markdown, plan_text

SHANGHAI = ZoneInfo("Asia/Shanghai")
ONE = dt.datetime(2026, 3, 4, 1, tzinfo=SHANGHAI)


NIGHTS = parse_window("01:00-07:00", SHANGHAI)


def nightly(moment: dt.datetime) -> dt.datetime:
    return next_start("0 1 * * *", SHANGHAI, moment)


HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ENDS: list[tuple[str, float, dict[str, Any], int, dt.timedelta]] = [
    ("within the night", 1, {"window": NIGHTS}, 1, HOUR),
    ("exactly the night", 6, {"window": NIGHTS}, 1, 6 * HOUR),
    ("two nights and a half", 15, {"window": NIGHTS}, 3, 2 * DAY + 3 * HOUR),
    ("nothing", 0, {"window": NIGHTS}, 1, 0 * HOUR),
    ("without any limit", 100, {"next_run": nightly}, 1, 100 * HOUR),
    ("with a limit, resumed at once", 5, {"a_run": 7200}, 3, 5 * HOUR),
    ("with a limit, each night", 5, {"a_run": 7200, "next_run": nightly}, 3, 2 * DAY + HOUR),
    ("with a limit below the window", 5, {"a_run": 7200, "window": NIGHTS, "next_run": nightly}, 3, 2 * DAY + HOUR),
    ("with a limit above the window", 13, {"a_run": 36_000, "window": NIGHTS, "next_run": nightly}, 3, 2 * DAY + HOUR),
    ("longer than nights are followed", 2_000, {"a_run": 3_600, "next_run": nightly}, 2_000, 1_999 * DAY + HOUR),
]


@pytest.mark.parametrize(
    ("hours", "given", "runs", "after"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS]
)
def test_work_takes_as_many_runs_as_window_limits_and_schedule_make_of_it(
    hours: float, given: dict[str, Any], runs: int, after: dt.timedelta
) -> None:
    found = expected_runs(ONE, hours * 3600, **given)
    assert found.runs == runs
    assert abs(found.end - (ONE + after)) <= (7 * DAY if runs > 400 else 0 * DAY)


def test_work_that_begins_while_it_is_shut_waits_for_the_opening() -> None:
    noon = ONE.replace(hour=12)
    assert expected_runs(noon, 60, window=NIGHTS).end == ONE + dt.timedelta(days=1, minutes=1)
    assert expected_runs(noon, 60).end == noon + dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({}, math.inf),
        ({"calls": 470}, 10),
        ({"objects": 4_700}, 20),
        ({"minutes": 0.25}, 15),
        ({"calls": 470, "objects": 4_700, "minutes": 1}, 10),
    ],
)
def test_the_tightest_limit_pauses_a_run(limits: dict[str, Any], seconds: float) -> None:
    assert most_seconds(PauseAfter(**limits), calls_per_second=47, files_per_call=5) == seconds


def entry(key: str, **described: Any) -> Entry:
    description = Description(title="t", **described)
    return Entry(key=key, file_url=f"https://b/{key}", description=description)


def test_the_samples_are_the_first_ones_and_one_for_each_kind_of_odd_key() -> None:
    seen = SampleDescriptions(lambda _: None)
    for key in ["1.mp4", "2.mp4", "3.mp4", "plain.mp4", "a b.mp4", "c d.mp4", "x+%.mp4", "y+.mp4", "😀 .mp4"]:
        seen.add(entry(key))
    assert [(sample.key, sample.why) for sample in seen.samples()] == [
        ("1.mp4", "the first"),
        ("2.mp4", "the first"),
        ("3.mp4", "the first"),
        ("a b.mp4", "a space"),
        ("x+%.mp4", "a plus sign, a percent sign"),
        ("😀 .mp4", "not ASCII, emoji"),
    ]


def test_sizes_are_added_up_by_class_and_unknown_ones_counted() -> None:
    sizes = Sizes()
    for storage_class, number in (("Standard", 5), ("Standard", None), ("IA", 7), (None, 1)):
        sizes.add(
            MediaObject(bucket="b", key="k", size=number, etag=None, last_modified=None, storage_class=storage_class)
        )
    assert (sizes.count, sizes.bytes, sizes.unknown) == (4, 13, 1)
    assert [(one.name, one.count, one.bytes) for one in sizes.classes()] == [
        ("Standard", 2, 5),
        ("IA", 1, 7),
        ("not known", 1, 1),
    ]


class Shelf:
    """Categories and covers that are there."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def category(self, path: tuple[str, ...]) -> int | Rejected:
        self.asked.append(path)
        return 7 if path == ("Shows",) else Rejected(code="category_missing", message="there is none")

    def exists(self, key: str) -> bool:
        self.asked.append(key)
        return key != "missing.jpg"


def test_categories_that_a_run_would_make_are_noted_and_not_made() -> None:
    lookups = DryLookups(Shelf(), makes=True)
    new = [
        lookups.category(("Shows", "A", "1")),
        lookups.category(("Shows", "A", "2")),
        lookups.category(("Shows", "A", "1")),
    ]
    assert lookups.category(("Shows",)) == 7
    assert new[0] == new[2] != new[1]
    told = lookups.told()
    assert (told.categories_to_make, told.category_samples) == (3, ("Shows/A", "Shows/A/1", "Shows/A/2"))
    assert isinstance(new[0], int)
    assert lookups.to_be_made(new[0]) == "Shows/A/1"
    assert lookups.to_be_made(7) is None


def test_a_missing_category_fails_where_a_run_would_not_make_it() -> None:
    lookups = DryLookups(Shelf(), makes=False)
    assert isinstance(lookups.category(("Films",)), Rejected)
    assert lookups.told().categories_to_make == 0


def test_covers_beyond_the_first_ones_are_taken_on_trust() -> None:
    shelf = Shelf()
    lookups = DryLookups(shelf, makes=False, most_covers=2)
    assert [lookups.exists(key) for key in ("a.jpg", "missing.jpg", "b.jpg")] == [True, False, True]
    told = lookups.told()
    assert (told.covers_checked, told.covers_missing, told.covers_trusted) == (2, 1, 1)
    assert shelf.asked == ["a.jpg", "missing.jpg"]


def plan(**changes: Any) -> Plan:
    migration = parse_migration(
        {"name": "a", "source": {"bucket": "media"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}},
        origin="a test",
    )
    fields: dict[str, Any] = {
        "run_id": "r",
        "digest": "0123456789abcdef" * 4,
        "migration": "a",
        "account": "default",
        "region": "cn-shanghai",
        "bucket": "b",
        "origin": "cli",
        "timezone": "Asia/Shanghai",
        "local_date": None,
        "options": {},
        "settings": migration.resolved(),
        "compared": {},
        "made_at": ONE,
        "planning_seconds": 1.0,
        "prefixes": (),
        "selected": 1,
        "fingerprint": "0" * 64,
        "rate": PlannedRate(calls_per_second=47, set_by="the account's rate"),
        "expected_end": ONE,
        "to_send": 1,
    }
    return Plan(**{**fields, **changes})


def test_the_command_gives_each_option_as_it_is_typed() -> None:
    options = parse_options(
        {"prefixes": ["a b/", "c/"], "limit": 5, "mode": "all", "date": "2026-03-04", "ignore_window": True}
    )
    words = shlex.split(command(plan(options=options.stored()), "dags/my file.yaml"))
    assert words[:3] == ["vod-migrate", "run", "dags/my file.yaml"]
    assert words[-2:] == ["--approve", "0123456789abcdef"]
    flags = words[3:-2]
    flags.remove("--ignore-window")
    given = list(zip(flags[::2], flags[1::2], strict=True))
    assert sorted(given) == [
        ("--date", "2026-03-04"),
        ("--limit", "5"),
        ("--mode", "all"),
        ("--prefix", "a b/"),
        ("--prefix", "c/"),
    ]
    assert {name.removeprefix("--") for name, _ in given} <= {"prefix", *RunOptions.model_fields}


def test_hostile_keys_cannot_leave_the_code_of_the_markdown_nor_steer_a_terminal() -> None:
    seen = SampleDescriptions(lambda _: None)
    seen.add(entry("````\n# heading\x1b[31m <script>.mp4"))
    made = plan(samples=seen.samples())
    text = plan_text(made)
    assert "\x1b" not in text
    assert all(len(line) <= 100 for line in text.splitlines())
    head, _, code = plan_markdown(made).partition("`````text\n")
    assert "script" not in head
    assert code.endswith("`````\n")
    assert "`````" not in code[:-6]


def test_a_saved_plan_reads_back_as_it_was_and_from_a_newer_version() -> None:
    made = plan(new=3)
    assert Plan.from_json(made.as_json()) == made
    assert Plan.from_json({**made.as_json(), "something_newer": 1}) == made


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("a digest that is too short", {"approve": "0123456789a"}, "is not the digest of a plan"),
    ("a digest of other signs", {"approve": "0123456789xyz"}, "is not the digest of a plan"),
    ("both at once", {"approve": "0" * 12, "dry_run": True}, "exclude each other"),
    ("a dry run that is no yes", {"dry_run": "perhaps"}, "dry_run"),
]


@pytest.mark.parametrize(("given", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_an_option_that_cannot_be_used_says_why(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        parse_options(given)


def test_hours_of_an_approval_that_nobody_asks_for_are_refused() -> None:
    content = {"name": "a", "source": {"bucket": "media"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}}
    with pytest.raises(Exception, match="require_approval is not: set it to true"):
        parse_migration({**content, "approval_hours": 3}, origin="a test")
    assert (
        parse_migration({**content, "approval_hours": 3, "require_approval": True}, origin="a test").approval_hours == 3
    )
