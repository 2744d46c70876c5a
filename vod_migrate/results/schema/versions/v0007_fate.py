"""One rule for what a listed object that is known already means to a run: a run goes by it, and so does a plan.

Revision ID: 0007
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Volatile because of vod_migrate_idle, which takes a lock; Postgres still writes it into the query that calls it."""
    op.execute(
        """
        create function vod_migrate_fate(
          mine boolean,              -- the result is of this migration
          state text, state_before_gone text, code text, nights integer, queued_run text,  -- of the result
          changed boolean,           -- its etag is not the listed one; null: not known
          run text, mode text, retry_failed integer, adopts boolean                        -- of the run
        ) returns text language sql volatile as $$
          select case
            when not mine then 'owned_elsewhere'
            when state = 'registered' then
              case when mode = 'all' then 'queued' when changed then 'changed' else 'unchanged' end
            when state = 'failed' then
              case when mode = 'all' or changed or nights < retry_failed or starts_with(coalesce(code, ''), 'row_')
                   then 'queued' else 'failed_before' end
            when state = 'gone' then
              case when state_before_gone = 'registered' and mode <> 'all' then 'returned' else 'queued' end
            when queued_run = run then 'adopted'
            when vod_migrate_idle(queued_run) then case when adopts then 'adopted' else 'queued' end
            else 'queued_elsewhere'
          end
        $$
        """
    )


def downgrade() -> None:
    """The queries before this revision say it themselves."""
    op.execute("drop function vod_migrate_fate")
