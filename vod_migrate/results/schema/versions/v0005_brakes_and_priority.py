"""What a run has sent so far, for its brakes; which priorities share a pace; whom a MediaId belongs to.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table, a column and two functions; rewrites nothing."""
    op.execute(
        """
        create table brakes (
          run_id        text primary key references runs on delete cascade,
          calls         bigint not null default 0,   -- made by all workers of the run
          objects       bigint not null default 0    -- sent by them; each counts once
        )
        """
    )
    # When each priority (1 to 10, the index) last took a slot of this pace.
    op.execute("alter table quotas add column taken_at timestamptz[] not null default '{}'")
    # How far ahead a priority may reserve: register/quota.py has the same in Python, and a test holds the two together.
    op.execute(
        """
        create function vod_migrate_ahead(taken_at timestamptz[], priority int, rate double precision,
                                          ahead double precision, yielding double precision,
                                          busy double precision, lowest double precision)
        returns double precision language sql volatile as $$
          select case
            when not exists (select 1 from unnest(taken_at[priority + 1:10]) as higher (at)
                             where at > clock_timestamp() - make_interval(secs => busy)) then ahead
            when taken_at[priority] is null
              or taken_at[priority] <= clock_timestamp() - make_interval(secs => 1 / (lowest * rate)) then ahead
            else yielding
          end
        $$
        """
    )
    # The key of another object that holds a MediaId already. Of two calls that bring the same one at the same moment the
    # second waits here for the first one's commit; being volatile, the function then sees it.
    op.execute(
        """
        create function vod_migrate_holder(of_media text, of_result bigint)
        returns text language plpgsql volatile as $$
        declare
          holder text;
        begin
          perform pg_advisory_xact_lock(hashtextextended('media:' || of_media, 0));
          select other.key into holder from results mine
          join results other on other.account = mine.account and other.media_id = of_media
                            and other.result_id <> mine.result_id
          where mine.result_id = of_result limit 1;
          return holder;
        end
        $$
        """
    )


def downgrade() -> None:
    """Goes back."""
    op.execute("drop function vod_migrate_holder")
    op.execute("drop function vod_migrate_ahead")
    op.execute("alter table quotas drop column taken_at")
    op.execute("drop table brakes")
