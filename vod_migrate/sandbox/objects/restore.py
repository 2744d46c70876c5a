"""The restored copy of an archived object: first in progress, then readable until it expires."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """One restore. Times are seconds since 1970 by the sandbox's clock; `tier` is its priority."""

    tier: str
    ready_at: float
    expires_at: float

    def ongoing(self, now: float) -> bool:
        """Whether the copy is still being made."""
        return now < self.ready_at

    def readable(self, now: float) -> bool:
        """Whether the copy can be read."""
        return self.ready_at <= now < self.expires_at

    def describe(self, now: float) -> str:
        """The value of `x-oss-restore` and `RestoreInfo`; empty once the copy has expired."""
        if self.ongoing(now):
            return 'ongoing-request="true"'
        if not self.readable(now):
            return ""
        expiry = format_datetime(datetime.fromtimestamp(self.expires_at, UTC), usegmt=True)
        return f'ongoing-request="false", expiry-date="{expiry}"'
