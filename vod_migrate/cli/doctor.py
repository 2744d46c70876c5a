"""`vod-migrate doctor`: everything that can be checked before a run, as a checklist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.migration.loader import load_migration

doctor_app = typer.Typer()


@doctor_app.command()
def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The migration file (YAML).")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for machines.")] = False,
) -> None:
    """Check everything that a run needs, and change nothing: what was tried, the answer, the fix.

    Ends with 0 when nothing failed, else with the exit code that a run would have.
    """
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.doctor.doctor import examine  # noqa: PLC0415 - slow SDK imports
    from vod_migrate.results.database import database_url  # noqa: PLC0415 - slow imports

    checklist = examine(
        migration=lambda: load_migration(file),
        connection=connection_from_environment,
        database_url=lambda: database_url(embedded=True),
    )
    typer.echo(json.dumps(checklist.as_json(), ensure_ascii=False) if as_json else checklist.as_text())
    raise typer.Exit(checklist.exit_code)
