"""`vod-migrate doctor`: everything that can be checked before a run, as a checklist."""

from __future__ import annotations

import typer

from vod_migrate.cli.options import FileArgument, JsonOption
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.doctor.doctor import examine
from vod_migrate.migration.loader import load_migration
from vod_migrate.results.address import database_url


def doctor(
    file: FileArgument,
    as_json: JsonOption = False,
) -> None:
    """Check everything that a run needs, and change nothing: each check, its result, and the fix.

    The exit code is 0 if nothing failed, otherwise the one that a run would have.
    """
    checklist = examine(
        migration=lambda: load_migration(file),
        connection=connection_from_environment,
        database_url=lambda: database_url(embedded=True),
    )
    if as_json:
        print_json(checklist.as_json())
    else:
        typer.echo(checklist.as_text())
    raise typer.Exit(checklist.exit_code)
