"""The commands that help to write a migration file: init, describe, schema. None needs the network."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.cli.options import FileArgument
from vod_migrate.cli.spoken import confirm, spoken
from vod_migrate.cli.streams import print_json
from vod_migrate.describe.preview import preview
from vod_migrate.errors import BadOption
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.scaffold import Scaffold, write_file

ASSUMED_REGION = "cn-shanghai"


def init(
    name: Annotated[
        str | None, typer.Option(help="The migration's name; if missing, the terminal prompts for it.")
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="The OSS bucket; if missing, the terminal prompts for it.")] = None,
    prefix: Annotated[str | None, typer.Option(help="Only keys that begin with this; empty: the whole bucket.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Cron expression; without one, the DAG runs only when triggered.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="IANA time zone of the schedule.")] = "Asia/Shanghai",
    template_group_id: Annotated[
        str | None, typer.Option(help="A transcoding template group; VOD_NO_TRANSCODE by default.")
    ] = None,
    workflow_id: Annotated[str | None, typer.Option(help="A workflow, instead of a template group.")] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write; NAME.yaml by default.")] = None,
) -> None:
    """Write a first migration file, with a comment for each choice; an existing file is never overwritten."""
    if template_group_id and workflow_id:
        raise BadOption("--template-group-id and --workflow-id: VOD would silently use the workflow; give only one")
    if sys.stdin.isatty():
        name = name or typer.prompt("Name of the migration")
        bucket = bucket or typer.prompt("OSS bucket")
        ask = partial(typer.prompt, default="", show_default=False)
        prefix = ask("Prefix (empty: the whole bucket)") if prefix is None else prefix
        schedule = schedule or ask("Schedule, as cron (empty: only when triggered)") or None
    missing = [flag for flag, value in (("--name", name), ("--bucket", bucket)) if not value]
    if name is None or bucket is None or missing:
        raise BadOption(f"{' and '.join(missing)} must be given, because this is not a terminal")
    path = output or Path(f"{name}.yaml")
    answers = Scaffold(
        name=name,
        bucket=bucket,
        prefix=prefix or "",
        schedule=schedule,
        timezone=timezone,
        template_group_id=template_group_id or "VOD_NO_TRANSCODE",
        workflow_id=workflow_id,
    )
    write_file(answers, path)
    confirm(f"wrote {path}; see what is sent for a key with `vod-migrate describe {path} KEY`")


def describe(
    file: FileArgument,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Keys as they are in the bucket.")],
    size: Annotated[int | None, typer.Option(min=0, help="The object's size in bytes.")] = None,
    row: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="A column of a manifest. May be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each key.")] = False,
) -> None:
    """Show what would be sent for a key: the rule that applies, cut values, or why the key is refused. Needs no network."""
    migration = load_migration(file)
    columns = {}
    for given in row or []:
        column, equals, value = given.partition("=")
        if not equals or not column:
            raise BadOption(f"--row {given!r} is not COLUMN=VALUE")
        columns[column] = value
    region = os.environ.get("VOD_MIGRATE_REGION") or ""
    if not region:
        region = ASSUMED_REGION
        confirm(f"VOD_MIGRATE_REGION is not set: the URLs are shown for {region}", err=True)
    for key in keys:
        explained = preview(migration, key, region=region, size=size, row=columns)
        if as_json:
            print_json(explained.as_json())
        else:
            typer.echo(explained.as_text(spoken()))


def schema() -> None:
    """Print the JSON schema of a migration file, for completion and checks in editors."""
    print_json(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **Migration.model_json_schema(by_alias=True),
            "title": "vod-migrate migration file",
        },
        indent=2,
    )
