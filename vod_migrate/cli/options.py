"""The options of a run, which a plan of it takes too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from vod_migrate.cli.console import option_help
from vod_migrate.migration.options import Mode

# What a run is asked for, and so is a plan of it.
FileArgument: TypeAlias = Annotated[Path, typer.Argument(metavar="FILE", help="The migration file (YAML).")]
ModeOption: TypeAlias = Annotated[Mode, typer.Option(help=option_help("mode"))]
PrefixOption: TypeAlias = Annotated[list[str] | None, typer.Option(help=option_help("prefixes") + " May be repeated.")]
LimitOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("limit"))]
ModifiedSinceOption: TypeAlias = Annotated[str | None, typer.Option(metavar="TIME", help=option_help("modified_since"))]
DateOption: TypeAlias = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help=option_help("date"))]
CallsPerSecondOption: TypeAlias = Annotated[float | None, typer.Option(help=option_help("calls_per_second"))]
CodeOption: TypeAlias = Annotated[list[str] | None, typer.Option(help=option_help("codes") + " May be repeated.")]
MaxObjectsOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("max_objects"))]
MaxCallsOption: TypeAlias = Annotated[int | None, typer.Option(help=option_help("max_calls"))]
MaxMinutesOption: TypeAlias = Annotated[float | None, typer.Option(help=option_help("max_minutes"))]
IgnoreWindowOption: TypeAlias = Annotated[bool, typer.Option("--ignore-window", help=option_help("ignore_window"))]
