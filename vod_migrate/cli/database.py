"""The commands `db upgrade` and `db check`."""

from __future__ import annotations

import typer

from vod_migrate.results.database import check_schema, database_url, schema_versions, upgrade_schema

database_app = typer.Typer(help="The results database.", no_args_is_help=True)


@database_app.command("upgrade")
def upgrade_database() -> None:
    """Bring the results database to this version's schema (VOD_MIGRATE_DATABASE_URL, or the embedded one)."""
    typer.echo(f"the results database is at schema {upgrade_schema(database_url(embedded=True))}")


@database_app.command("check")
def check_database() -> None:
    """Say whether the results database can be used."""
    url = database_url(embedded=True)
    check_schema(url)
    typer.echo(f"the results database answers and is at schema {schema_versions(url)[0]}")
