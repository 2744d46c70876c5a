"""`vod-migrate airflow`: puts vod-migrate into an Airflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.airflow.dag_files import write_dag_files
from vod_migrate.airflow.migration_folder import FOLDER_NAME

airflow_app = typer.Typer(help="Set up vod-migrate in an Airflow installation.", no_args_is_help=True)


@airflow_app.callback()
def _group() -> None:
    """Keeps `init` a command of its own."""


@airflow_app.command()
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="The DAG folder; by default Airflow's own, or ./dags without Airflow.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite DAG files that were changed.")] = False,
) -> None:
    """Write the DAG files into a DAG folder, and an example migration where there is none. Migrations are never overwritten."""
    place = _dags_folder() if folder is None else folder
    made = write_dag_files(place, force=force)
    for path in made.kept:
        typer.echo(f"unchanged {path}")
    for path in made.written:
        typer.echo(f"wrote {path}")
    typer.echo(
        f"\nEach YAML file in {place / FOLDER_NAME} becomes the DAG vod_backfill__<name>. Next:\n"
        "  1. results database: add the Airflow connection vod_migrate_db (type Postgres), then `vod-migrate db upgrade`\n"
        "  2. cloud account: add the Airflow connection vod_default (type ApsaraVideo VOD)\n"
        "  3. migration: edit the example, or write another file with `vod-migrate init`\n"
        "  4. unpause the DAG in Airflow, which finds new files within five minutes"
    )


def _dags_folder() -> Path:
    try:
        from airflow.configuration import conf  # noqa: PLC0415 - may not be installed
    except ModuleNotFoundError:
        return Path("dags")
    return Path(conf.get_mandatory_value("core", "dags_folder"))
