"""Alembic's entry: runs the versions on the connection it is handed, never on one of its own."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="vod_migrate_version", transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
