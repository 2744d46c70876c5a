"""`python -m demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demo.command import run_demo, stays_up
from demo.console import DemoConsole
from demo.processes import ChildFailed
from demo.scenario import Scenario, play


def main(
    objects: Annotated[int, typer.Option(help="Objects in the bucket.", min=100)] = 20_000,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Leave Airflow up at the end; default: only on a terminal.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where to write; emptied first.")] = Path(".demo"),
) -> None:
    """Runs a whole migration in a real Airflow against the sandbox, and checks it object by object."""
    console = DemoConsole()
    stay = stays_up(console, keep)

    def demo() -> bool:
        return play(Scenario(objects=objects, folder=folder.resolve(), stay=stay, dags=_dags()), console)

    run_demo(demo, console)


def _dags() -> Path:
    for root in (Path.cwd(), Path(__file__).resolve().parents[1]):
        if (root / "dags" / "migrations" / "sandbox.yaml").is_file():
            return root / "dags"
    raise ChildFailed("dags/migrations/sandbox.yaml is not here: start the demo in a clone of the repository")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
