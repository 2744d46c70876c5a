"""Calls and their outcomes, per account and API."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vod_migrate.sandbox.quota import SlidingSecond


@dataclass(slots=True)
class ApiCounters:
    """Counts of one API of one account. Times are wall-clock seconds since 1970."""

    requests: int = 0
    ok: int = 0
    throttled: int = 0
    refused: int = 0
    effects: int = 0
    faults: int = 0
    files: int = 0
    faults_by_kind: Counter[str] = field(default_factory=Counter)
    first_arrival: float | None = None
    last_arrival: float | None = None
    arrivals: Counter[int] = field(default_factory=Counter)
    accepted: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    second: SlidingSecond = field(default_factory=SlidingSecond)

    @contextlib.contextmanager
    def call(self, now: float) -> Iterator[None]:
        """Count one call, from its arrival to its reply."""
        self.requests += 1
        self.arrivals[int(now)] += 1
        self.first_arrival = self.first_arrival or now
        self.last_arrival = now
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1


class Counters:
    """The counters of every account and API since the last reset."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], ApiCounters] = {}

    def of(self, uid: str, api: str) -> ApiCounters:
        """The row to count into; `uid` is empty for calls whose signer is unknown."""
        row = self._rows.get((uid, api))
        if row is None:
            row = self._rows[uid, api] = ApiCounters()
        return row

    def reset(self) -> None:
        """Reset the counters. Calls in flight finish in the old rows."""
        self._rows = {}

    def summary(self, uid: str | None = None) -> dict[str, dict[str, Any]]:
        """The counts by API, summed over accounts; of maxima, the highest. `uid` selects one account."""
        by_api: dict[str, list[ApiCounters]] = {}
        for (owner, api), row in sorted(self._rows.items()):
            if uid is None or owner == uid:
                by_api.setdefault(api, []).append(row)
        return {api: _merged(rows) for api, rows in by_api.items()}


def _merged(rows: list[ApiCounters]) -> dict[str, Any]:
    firsts = [row.first_arrival for row in rows if row.first_arrival is not None]
    lasts = [row.last_arrival for row in rows if row.last_arrival is not None]
    return {
        **{
            name: sum(getattr(row, name) for row in rows)
            for name in ("requests", "effects", "ok", "throttled", "refused", "faults", "files")
        },
        "faults_by_kind": dict(sorted(sum((row.faults_by_kind for row in rows), Counter()).items())),
        "first_arrival": min(firsts, default=None),
        "last_arrival": max(lasts, default=None),
        "arrivals_per_second": _histogram(row.arrivals for row in rows),
        "accepted_per_second": _histogram(row.accepted for row in rows),
        "most_accepted_in_a_second": max(row.second.most for row in rows),
        "most_in_flight": max(row.most_in_flight for row in rows),
    }


def _histogram(counters: Iterable[Counter[int]]) -> dict[str, int]:
    total: Counter[int] = Counter()
    for counter in counters:
        total.update(counter)
    return {str(second): count for second, count in sorted(total.items())}
