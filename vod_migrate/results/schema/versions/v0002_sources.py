"""Objects from manifests: their columns, facts that a manifest may not know, and samples of what was left out.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNKNOWN = ("size", "etag", "last_modified", "storage_class")


def upgrade() -> None:
    """Adds two columns without rewriting a table; both may stay empty."""
    op.execute("alter table scans add column samples jsonb not null default '{}'")  # reason: up to five keys
    op.execute("alter table results add column attributes jsonb")  # a manifest's columns, for templates
    for column in _UNKNOWN:
        op.execute(f"alter table results alter column {column} drop not null")


def downgrade() -> None:
    """Goes back; what a manifest did not say becomes empty, zero, or the time of discovery."""
    op.execute(
        "update results set size = coalesce(size, 0), etag = coalesce(etag, ''), storage_class = coalesce(storage_class, ''), "
        "last_modified = coalesce(last_modified, discovered_at) "
        "where size is null or etag is null or storage_class is null or last_modified is null"
    )
    for column in _UNKNOWN:
        op.execute(f"alter table results alter column {column} set not null")
    op.execute("alter table results drop column attributes")
    op.execute("alter table scans drop column samples")
