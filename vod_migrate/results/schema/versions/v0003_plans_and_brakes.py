"""Runs that only plan, that wait, or that a person ended; saved plans, and the fingerprint of what a scan selected.

Revision ID: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = ("running", "succeeded", "failed", "stopped", "interrupted")
_NOW = (*_BEFORE, "paused", "cancelled", "planned")


def _states(states: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{state}'" for state in states)
    op.execute("alter table runs drop constraint runs_state_check")
    op.execute(f"alter table runs add constraint runs_state_check check (state in ({listed}))")


def upgrade() -> None:
    """Adds columns and a table without rewriting any."""
    _states(_NOW)
    op.execute("alter table runs add column stopped_by text")  # who asked a run to pause or to end
    # The sum of a digest of every selected object: equal for the same objects in any order and any pages.
    op.execute("alter table scans add column fingerprint text not null default ''")
    op.execute("alter table scans add column selected bigint not null default 0")
    op.execute(
        """
        create table plans (
          run_id        text primary key references runs on delete cascade,
          account       text not null,
          migration     text not null,
          digest        text not null,             -- of the resolved file, the options and what was selected
          body          jsonb not null,            -- what the plan says
          made_at       timestamptz not null default now()
        )
        """
    )
    op.execute("create index plans_by_digest on plans (digest)")


def downgrade() -> None:
    """Goes back; runs that waited, were cancelled or only planned count as interrupted."""
    op.execute("drop table plans")
    op.execute("alter table scans drop column selected")
    op.execute("alter table scans drop column fingerprint")
    op.execute("alter table runs drop column stopped_by")
    op.execute("update runs set state = 'interrupted' where state in ('paused', 'cancelled', 'planned')")
    _states(_BEFORE)
