"""What people did to runs, migrations and accounts: who, when, what."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from vod_migrate.results.run import Run
from vod_migrate.results.session import QUERIES, Session, storable


class Deed(StrEnum):
    """What somebody did."""

    STARTED = "started"
    RESUMED = "resumed"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    APPROVED = "approved"
    REJECTED = "rejected"
    RUN_RATE = "run_rate"
    MIGRATION_RATE = "migration_rate"
    ACCOUNT_RATE = "account_rate"
    DISCARDED = "discarded"
    TRANSFERRED = "transferred"
    REPAIRED = "repaired"
    UPDATED = "updated"


class Actions(Session):
    """Kept as long as the run's other audit."""

    def note_run_action(self, run: Run, what: Deed, *, by: str, detail: str = "", once: bool = False) -> None:
        """Something was done to a run. once: not if the same was noted for it before."""
        self._note(what, by, detail, account=run.account, migration=run.migration, run_id=run.run_id, once=once)

    def note_action(self, account: str, what: Deed, *, by: str, migration: str | None = None, detail: str = "") -> None:
        """Something was done to a migration, or to the whole account."""
        self._note(what, by, detail, account=account, migration=migration, run_id=None, once=False)

    def _note(self, what: Deed, who: str, detail: str, **to: Any) -> None:
        self._ask(QUERIES.note_action, what=what.value, who=storable(who), detail=storable(detail), **to)
