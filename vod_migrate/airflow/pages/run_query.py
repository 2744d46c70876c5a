"""Which runs a table shows, and in which order, as it stands in the address."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import Depends, Query

from vod_migrate.report.browse.runs import WantedRuns

State = Literal["", "running", "succeeded", "failed", "stopped", "interrupted", "paused", "cancelled", "planned"]
Mode = Literal["", "new", "failed", "all"]
Order = Literal["", "oldest"]


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """What was chosen; '' for anything. after, after_run: where an earlier page ended."""

    state: State
    mode: Mode
    order: Order
    after: dt.datetime | None
    after_run: str

    states = get_args(State)[1:]
    modes = get_args(Mode)[1:]

    @property
    def first(self) -> bool:
        """Whether this is the first page."""
        return self.after is None

    @property
    def plain(self) -> bool:
        """Whether nothing was chosen: the newest of all runs."""
        return self.first and not (self.state or self.mode or self.order)

    def wanted(self) -> WantedRuns:
        """What it means."""
        return WantedRuns(
            oldest=self.order == "oldest",
            state=self.state or None,
            mode=self.mode or None,
            after=None if self.after is None else (self.after, self.after_run),
        )

    def query(self) -> dict[str, str]:
        """For links that keep it."""
        return {"state": self.state, "mode": self.mode, "order": self.order}


def run_query(
    state: State = "",
    mode: Mode = "",
    order: Order = "",
    after: dt.datetime | None = None,
    after_run: Annotated[str, Query(max_length=200)] = "",
) -> RunQuery:
    """The choice of the address; a time without an offset is none."""
    place = None if after is None or after.tzinfo is None else after
    return RunQuery(state=state, mode=mode, order=order, after=place, after_run=after_run)


RunQueryDep = Annotated[RunQuery, Depends(run_query)]
