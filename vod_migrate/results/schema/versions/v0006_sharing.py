"""A pace that shares an account better: a throttled call costs less, and the share grows back slowly, then fast.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FUNCTION = """
create or replace function vod_migrate_share(factor double precision, cut_at timestamptz) returns double precision
language sql volatile as $$
  select least(1, factor + {growth})
  from (select least(3600, greatest(0, extract(epoch from clock_timestamp() - cut_at)))::double precision) as since (seconds)
$$
"""


def upgrade() -> None:
    """The same as `share_in_force` in register/quota.py; a test holds the two together."""
    op.execute(_FUNCTION.format(growth="0.006 * least(1, seconds) + 0.00001 * seconds * seconds * seconds"))


def downgrade() -> None:
    """The growth of the first schema."""
    op.execute(_FUNCTION.format(growth="0.004 * seconds + 0.0005 * seconds * seconds"))
