"""Parsing command lines as the programs themselves would, without running them."""

from __future__ import annotations

import shlex
from typing import Any

import typer

from vod_migrate.cli.app import app


def parse_command(words: list[str]) -> None:
    """Parses the words after `vod-migrate`; raises what the parser raises."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("vod-migrate", list(words))
    while hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


def script_commands(text: str, program: str) -> list[list[str]]:
    """The words of each command line of a shell script that begins with the program."""
    joined = text.replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.startswith(f"{program} ")]
