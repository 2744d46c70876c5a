"""`python -m demo`."""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from demo.airflow_api import ApiFailed
from demo.console import DemoConsole
from demo.processes import ChildFailed
from demo.scenario import Scenario, play
from vod_migrate.errors import VodMigrateError

_INTERRUPTED = 130
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(
    objects: Annotated[int, typer.Option(help="Objects in the bucket.", min=100)] = 20_000,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Leave Airflow up at the end; default: only on a terminal.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where to write; emptied first.")] = Path(".demo"),
) -> None:
    """Runs a whole migration in a real Airflow against the sandbox, and checks it object by object."""
    # The embedded Postgres keeps its socket elsewhere where there is no such folder; nobody needs to know.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    console = DemoConsole()
    for number in _ENDINGS:
        signal.signal(number, _end)
    stay = console.is_terminal and sys.stdin.isatty() if keep is None else keep
    try:
        agreed = play(Scenario(objects=objects, folder=folder.resolve(), stay=stay, dags=_dags()), console)
    except KeyboardInterrupt:
        console.step("Interrupted; everything is stopped.")
        raise typer.Exit(_INTERRUPTED) from None
    except (ChildFailed, ApiFailed, VodMigrateError) as error:
        console.step("The demo failed; everything is stopped.")
        console.print(str(error))
        raise typer.Exit(1) from None
    raise typer.Exit(0 if agreed else 1)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # One way out for all of them, which a second signal must not cut short: it stops everything.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _dags() -> Path:
    for root in (Path.cwd(), Path(__file__).resolve().parents[1]):
        if (root / "dags" / "migrations" / "sandbox.yaml").is_file():
            return root / "dags"
    raise ChildFailed("dags/migrations/sandbox.yaml is not here: start the demo in a clone of the repository")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
