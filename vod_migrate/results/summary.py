"""The numbers of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from typing import Any, Self

from vod_migrate.results.scan import Scan, ScanKind, summed
from vod_migrate.results.work import SETTLED

_LISTED = ("changed", "gone", "owned_elsewhere", "unchanged", "failed_before", "queued_elsewhere")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCounts:
    """The numbers of a run.

    discovered: objects listed, = left out + owned elsewhere + changed + unchanged + failed before + queued elsewhere
    + those that this run has to send + rows that failed by themselves. pending and unknown: not settled (to be sent; of unknown outcome).
    already_registered: VOD knew the file; unchanged: settled by an earlier run, so not sent.
    leftovers: taken over from earlier runs; leftovers_left_out: what of theirs no longer fits, by reason. approval: what was held against the
    plan: approved, new, changed, vanished or settled since.
    """

    discovered: int = 0
    registered: int = 0
    already_registered: int = 0
    failed: int = 0
    pending: int = 0
    unknown: int = 0
    changed: int = 0
    gone: int = 0
    owned_elsewhere: int = 0
    unchanged: int = 0
    failed_before: int = 0
    queued_elsewhere: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    leftovers: int = 0
    leftovers_left_out: Mapping[str, int] = field(default_factory=dict)
    approval: Mapping[str, int] = field(default_factory=dict)
    calls: int = 0
    throttled: int = 0

    @classmethod
    def from_rows(
        cls,
        *,
        outcomes: Mapping[str, int],
        calls: Mapping[str, int],
        pending: int,
        unknown: int,
        scans: Sequence[Scan],
    ) -> Self:
        """From the rows of one run. outcomes: objects by outcome; calls: by answer."""
        listing = [scan for scan in scans if scan.kind in (ScanKind.PREFIX, ScanKind.ROWS)]
        counts = _total(scan.counts for scan in listing)
        earlier = _total(scan.counts for scan in scans if scan.kind is ScanKind.LEFTOVERS)
        taken = earlier.get("queued", 0) + earlier.get("queued_again", 0)
        dropped = {
            name: count
            for name, count in earlier.items()
            if count and name not in ("queued", "queued_again", "adopted")
        }
        numbers: dict[str, Any] = {name: outcomes.get(name, 0) for name in SETTLED}
        numbers |= {name: counts.get(name, 0) for name in _LISTED}
        return cls(
            discovered=sum(scan.listed for scan in listing),
            **numbers,
            pending=pending,
            unknown=unknown,
            left_out=_total(scan.left_out for scan in listing),
            leftovers=taken,
            leftovers_left_out=summed(
                dropped, _total(scan.left_out for scan in scans if scan.kind is ScanKind.LEFTOVERS)
            ),
            approval=_total(scan.counts for scan in scans if scan.kind is ScanKind.APPROVAL),
            calls=sum(calls.values()),
            throttled=calls.get("throttled", 0),
        )

    @property
    def settled(self) -> int:
        """Objects that this run brought to an end."""
        return self.registered + self.already_registered + self.failed

    def as_json(self) -> dict[str, Any]:
        """The `counts` of a run's JSON line."""
        return {name: value for name, value in asdict(self).items() if name not in ("calls", "throttled")}


def _total(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    nothing: dict[str, int] = {}
    return reduce(summed, many, nothing)
