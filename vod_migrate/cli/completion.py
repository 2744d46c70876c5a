"""What a shell completes: commands, and the names of migrations and runs. Nothing is imported for it that is not needed."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

VARIABLE = "_VOD_MIGRATE_COMPLETE"
"""Set by the shell's function that asks for completions."""

RUN_COMMANDS = frozenset(
    {"cancel", "diagnose", "discard", "export", "pause", "rate", "report", "status", "verify", "work"}
)
"""Those whose first word is a run or a migration."""


def completing() -> bool:
    """Whether this process only answers a shell."""
    return VARIABLE in os.environ


def names_a_run(args: list[str]) -> bool:
    """Whether what is completed after these words can only be the name of a run, not an option."""
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    return len(args) == 1 and args[0] in RUN_COMMANDS and re.search(r"\s-", typed) is None


def complete_run(incomplete: str) -> list[str]:
    """Migrations and runs that begin with what was typed."""
    from vod_migrate.results.names import names_like  # noqa: PLC0415 - a database driver

    return names_like(incomplete)


def of_a_run(_of: Annotated[str, typer.Argument(autocompletion=complete_run)]) -> None:
    """Stands for a command whose first word is completed, so that the command itself is not imported."""
