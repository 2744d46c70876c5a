"""Why a run ends before its work does: what is written in its row, its window, its time. Pure, the same for everyone who works on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from vod_migrate.errors import BrakeReached, RunStopped, VodMigrateError, WindowClosed
from vod_migrate.results.run import Run, RunSignal
from vod_migrate.results.stop_code import ASKED, stop_error


@dataclass(frozen=True, kw_only=True, slots=True)
class StopTime:
    """The moment after which a run sends nothing, and what makes the error that says why."""

    at: dt.datetime
    why: Callable[[], VodMigrateError]


def stop_sending_reason(run: Run, told: RunSignal) -> VodMigrateError | None:
    """Why nothing more may be sent, None while it may."""
    if told.stop_code is not None:
        return stop_error(told.stop_code, told.stop_message)
    if told.state != "running":
        return RunStopped(f"run {run.run_id} was ended elsewhere ({told.state})", code="ended")
    end = sending_stops_at(run, told.now)
    return end.why() if end is not None and told.now >= end.at else None


def stop_listing_reason(run: Run, told: RunSignal) -> VodMigrateError | None:
    """Why nothing more may be listed, None while it may: neither window nor calls nor objects are a reason, as listing costs none."""
    if told.stop_code in ASKED:
        return stop_error(told.stop_code, told.stop_message)
    end = _time_up(run)
    return end.why() if end is not None and told.now >= end.at else None


def sending_stops_at(run: Run, now: dt.datetime) -> StopTime | None:
    """When sending ends, as far as that is known now: its window closes (it may be closed already), or its minutes are over."""
    ends = [end for end in (_closing(run, now), _time_up(run)) if end is not None]
    return min(ends, key=lambda end: end.at, default=None)


def _closing(run: Run, now: dt.datetime) -> StopTime | None:
    window = run.window
    if window is None:
        return None
    closes = window.closes_at(now)

    def why() -> WindowClosed:
        opens = window.opens_at(closes).astimezone(window.zone)
        return WindowClosed(f"the window {window} is closed until {opens:%Y-%m-%d %H:%M}", code="window")

    return StopTime(at=closes, why=why)


def _time_up(run: Run) -> StopTime | None:
    minutes, began = run.pause_after.minutes, run.reopened_at
    if minutes is None or began is None:
        return None

    def why() -> BrakeReached:
        return BrakeReached(f"the run has reached the limit of {minutes:g} minutes in `pause_after`", code="brake")

    return StopTime(at=began + dt.timedelta(minutes=minutes), why=why)
