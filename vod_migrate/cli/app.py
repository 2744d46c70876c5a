"""vod-migrate from the command line: the same engine without Airflow.

Exit codes: 0 success, or paused · 1 a bug · 2 bad input · 3 denied · 4 unreachable, try again · 5 failure threshold passed ·
6 ended with objects left · 130 interrupted or cancelled. Data goes to stdout, messages for a person to stderr.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vod_migrate import __version__
from vod_migrate.cli.completion import completing, names_a_run, of_a_run
from vod_migrate.cli.spoken import LanguageOption, ask_for, spoken
from vod_migrate.cli.streams import print_json, settle_streams
from vod_migrate.errors import BadOption, VodMigrateError

_COMMANDS = {
    "run": "cli.run:run",
    "plan": "cli.plan:plan",
    "work": "cli.run:work",
    "restore": "cli.restore:restore",
    "status": "cli.status:status",
    "explain": "cli.explain:explain",
    "diagnose": "cli.diagnose:diagnose",
    "update": "cli.update:update",
    "verify": "cli.verify:check_media",
    "reconcile": "cli.reconcile:reconcile_books",
    "report": "cli.report:report",
    "export": "cli.export:export",
    "quota": "cli.quota:quota",
    "init": "cli.migration_file:init",
    "describe": "cli.migration_file:describe",
    "schema": "cli.migration_file:schema",
    "pause": "cli.control:pause",
    "cancel": "cli.control:cancel",
    "resume": "cli.control:resume",
    "rate": "cli.control:rate",
    "doctor": "cli.doctor:doctor",
    "db": "cli.database:database_app",
    "transfer": "cli.database:transfer",
    "discard": "cli.database:discard",
    "airflow": "airflow.cli:airflow_app",
    "sandbox": "sandbox.cli:sandbox_app",
}


class _Commands(TyperGroup):
    """The commands, each imported when it is used: none has to wait for what another one needs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # For their names only, also of those that are like a mistyped one.
        self.commands = dict.fromkeys(_COMMANDS)  # type: ignore[assignment]
        self._stand_in = False

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        self._stand_in = True
        return super().shell_complete(ctx, incomplete)

    def make_context(self, *given: Any, **more: Any) -> Any:
        with _own_words():
            return super().make_context(*given, **more)

    def invoke(self, ctx: Any) -> Any:
        with _own_words():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self._stand_in = completing() and names_a_run(args)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - Typer's signature
        if cmd_name not in _COMMANDS:
            return None
        if self._stand_in:
            return _command(cmd_name, of_a_run)
        module, _, name = _COMMANDS[cmd_name].partition(":")
        try:
            found = getattr(importlib.import_module(f"vod_migrate.{module}"), name)
        except ModuleNotFoundError as error:
            if error.name != "aiohttp":
                raise
            raise BadOption("the sandbox is not installed: run pip install 'vod-migrate[sandbox]'") from None
        return _command(cmd_name, found)


@contextmanager
def _own_words() -> Iterator[None]:
    """Typer shows what pydantic says about an option; this leaves out pydantic's own name for it."""
    try:
        yield
    except typer.BadParameter as error:
        error.message = error.message.removeprefix("Value error, ")
        raise


def _command(name: str, made_of: Any) -> Any:
    holder = typer.Typer(rich_markup_mode=None)
    if isinstance(made_of, typer.Typer):
        holder.add_typer(made_of, name=name)
    else:
        holder.command(name)(made_of)
    return typer.main.get_group(holder).commands[name]


app = typer.Typer(
    cls=_Commands,
    name="vod-migrate",
    help="Register large OSS archives in ApsaraVideo VOD: batched, rate-limited, resumable, explained.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _common(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more on stderr.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    language: LanguageOption = None,
) -> None:
    if version:
        typer.echo(f"vod-migrate {__version__}")
        raise typer.Exit
    ask_for(language)
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    # The pool logs each failed attempt; our own message says it once.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    logging.getLogger("oss2").setLevel(logging.CRITICAL)


def main() -> None:
    """The console script: an error is one paragraph and its exit code, never a traceback."""
    settle_streams()
    try:
        app()
    except VodMigrateError as error:
        if completing():
            _exit(0)
        if "--json" in sys.argv and error.exit_code:
            body = {"error": {"type": type(error).__name__, "message": str(error)}, "exit_code": error.exit_code}
            print_json(body, err=True)
        else:
            typer.echo(f"vod-migrate: {spoken().translate(str(error))}", err=True)
        _exit(error.exit_code)


def _exit(code: int) -> None:
    """Ends the process, although threads may still wait for the network."""
    atexit._run_exitfuncs()  # noqa: SLF001 - lets the embedded Postgres stop
    os._exit(code)
