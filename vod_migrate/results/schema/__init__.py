"""Versions of the results schema, applied by Alembic."""
