"""When a run ends before its work: pure, from its row, its window and its minutes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from vod_migrate.errors import (
    BadOption,
    BrakeReached,
    Cancelled,
    Denied,
    Paused,
    RunStopped,
    SourceDenied,
    ThresholdPassed,
    Unfinished,
    WindowClosed,
)
from vod_migrate.migration.loader import parse_migration
from vod_migrate.migration.options import Mode, parse_options
from vod_migrate.results.run import Run, RunSignal
from vod_migrate.results.stop import sending_stops_at, stop_listing_reason, stop_sending_reason
from vod_migrate.results.stop_code import StopCode
from vod_migrate.run.verdict import state_of

BEGAN = dt.datetime(2026, 11, 22, 1, 0, tzinfo=dt.UTC)  # nine in the morning in Shanghai


def run(options: dict[str, Any] | None = None, **content: Any) -> Run:
    migration = parse_migration(
        {"name": "n", "source": {"bucket": "abc"}, "register": {"template_group_id": "VOD_NO_TRANSCODE"}, **content},
        origin="test",
    )
    return Run(
        run_id="r", account="a", migration="n", bucket="abc", mode=Mode.NEW, options=parse_options(options or {}),
        spec=migration, reopened_at=BEGAN,
    )  # fmt: skip


def signal(*, minutes: float = 0, code: StopCode | None = None, state: str = "running") -> RunSignal:
    return RunSignal(state=state, stop_code=code, stop_message="why", now=BEGAN + dt.timedelta(minutes=minutes))


CASES: list[tuple[str, Run, RunSignal, type[Exception] | None, type[Exception] | None]] = [
    ("nothing ends it", run(), signal(minutes=10_000), None, None),
    ("a person pauses it", run(), signal(code=StopCode.PAUSED), Paused, Paused),
    ("a person cancels it", run(), signal(code=StopCode.CANCELLED), Cancelled, Cancelled),
    ("the account is denied, which concerns no listing", run(), signal(code=StopCode.DENIED), Denied, None),
    ("a sibling has seen the window close", run(), signal(code=StopCode.WINDOW), WindowClosed, None),
    ("it was ended elsewhere", run(), signal(state="interrupted"), RunStopped, None),
    ("its minutes are not over", run(pause_after={"minutes": 5}), signal(minutes=4.9), None, None),
    ("its minutes are over", run(pause_after={"minutes": 5}), signal(minutes=5), BrakeReached, BrakeReached),
    (
        "the run has longer than its file",
        run({"max_minutes": 9}, pause_after={"minutes": 5}),
        signal(minutes=6),
        None,
        None,
    ),
    ("its window is open", run(window="08:00-10:00"), signal(minutes=59), None, None),
    ("its window has closed, and listing goes on", run(window="08:00-10:00"), signal(minutes=60), WindowClosed, None),
    ("its window has not opened", run(window="10:00-11:00"), signal(minutes=59), WindowClosed, None),
    ("it ignores its window", run({"ignore_window": True}, window="10:00-11:00"), signal(), None, None),
]


@pytest.mark.parametrize(
    ("one", "told", "sending", "listing"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_ends_sending_and_what_ends_listing(
    one: Run, told: RunSignal, sending: type[Exception] | None, listing: type[Exception] | None
) -> None:
    assert type(stop_sending_reason(one, told)) is (sending or type(None))
    assert type(stop_listing_reason(one, told)) is (listing or type(None))


def test_the_end_that_comes_first_counts() -> None:
    both = run(window="08:00-10:00", pause_after={"minutes": 30})
    early, late = sending_stops_at(both, BEGAN), sending_stops_at(run(window="08:00-10:00"), BEGAN)
    assert early is not None
    assert late is not None
    assert (early.at, late.at) == (BEGAN + dt.timedelta(minutes=30), BEGAN + dt.timedelta(minutes=60))
    assert "limit of 30 minutes" in str(early.why())
    assert "the window 08:00\u201310:00 (Asia/Shanghai) is closed until 2026-11-23 08:00" in str(late.why())


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "succeeded"),
        (Paused("x"), "paused"),
        (WindowClosed("x"), "paused"),
        (BrakeReached("x"), "paused"),
        (Cancelled("x"), "cancelled"),
        (Unfinished("x"), "interrupted"),
        (SourceDenied("x"), "failed"),
        (BadOption("x"), "failed"),
        (ThresholdPassed("x"), "stopped"),
        (Denied("x"), "stopped"),
    ],
)
def test_a_verdict_has_a_state(error: Any, state: str) -> None:
    assert state_of(error) == state


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"codes": ["no_answer"]}, "codes apply only to mode failed, and this is mode new"),
        ({"mode": "failed", "codes": ["row_no_key"]}, "is the code of broken manifest rows"),
        ({"mode": "failed", "codes": "no_answer"}, "must be a list"),
        ({"max_objects": 0}, "max_objects"),
        ({"max_minutes": -1}, "max_minutes"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_the_reason(options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadOption, match=says) as refused:
        parse_options(options)
    assert "the file" not in str(refused.value)
