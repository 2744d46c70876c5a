"""The numbers of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from vod_migrate.results.scan import _added


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCounts:
    """The numbers of a run.

    discovered: objects listed, = left out + owned elsewhere + changed + unchanged + failed before + queued elsewhere
    + those that this run has to send + rows that failed by themselves. pending and unknown: not settled (to be sent; of unknown outcome).
    already_registered: VOD knew the file; unchanged: settled by an earlier run, so not sent.
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
    calls: int = 0
    throttled: int = 0

    @classmethod
    def from_rows(
        cls,
        *,
        outcomes: Mapping[str, int],
        calls: Mapping[str, int],
        pending: Sequence[int],
        scans: Sequence[tuple[int, Mapping[str, int], Mapping[str, int]]],
    ) -> Self:
        """From the rows of one run."""
        fates: dict[str, int] = {}
        left_out: dict[str, int] = {}
        for _, counts, reasons in scans:
            fates = _added(fates, counts)
            left_out = _added(left_out, reasons)
        return cls(
            discovered=sum(listed for listed, _, _ in scans),
            registered=outcomes.get("registered", 0),
            already_registered=outcomes.get("already_registered", 0),
            failed=outcomes.get("failed", 0),
            pending=pending[0],
            unknown=pending[1],
            changed=fates.get("changed", 0),
            gone=fates.get("gone", 0),
            owned_elsewhere=fates.get("owned_elsewhere", 0),
            unchanged=fates.get("unchanged", 0),
            failed_before=fates.get("failed_before", 0),
            queued_elsewhere=fates.get("queued_elsewhere", 0),
            left_out=dict(sorted(left_out.items())),
            calls=sum(calls.values()),
            throttled=calls.get("throttled", 0),
        )

    @property
    def settled(self) -> int:
        """Objects that this run brought to an end."""
        return self.registered + self.already_registered + self.failed

    def as_json(self) -> dict[str, Any]:
        """The `counts` of a run's JSON line."""
        return {
            "discovered": self.discovered,
            "registered": self.registered,
            "already_registered": self.already_registered,
            "failed": self.failed,
            "pending": self.pending,
            "unknown": self.unknown,
            "changed": self.changed,
            "gone": self.gone,
            "owned_elsewhere": self.owned_elsewhere,
            "unchanged": self.unchanged,
            "failed_before": self.failed_before,
            "queued_elsewhere": self.queued_elsewhere,
            "left_out": dict(self.left_out),
        }
