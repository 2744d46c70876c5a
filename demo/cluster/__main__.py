"""`python -m demo.cluster`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from demo.cluster.events import Outcome, play
from demo.command import run_demo, stays_up
from demo.console import DemoConsole

_ROOT = Path(__file__).resolve().parents[2]


def main(
    objects: Annotated[int, typer.Option(help="Objects in the bucket.", min=15_000)] = 20_000,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Leave it up at the end; default: only on a terminal.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where to write; emptied first.")] = Path(".demo-cluster"),
) -> None:
    """Runs docker-compose.yml without Docker, lets workers fail in the middle of a run, and checks the results."""
    console = DemoConsole()
    stays = stays_up(console, keep)

    def told(outcome: Outcome, sign_in: str) -> None:
        _tell(outcome, console)
        if stays:
            _stay(outcome, sign_in, console)

    def demo() -> bool:
        return play(_ROOT, folder.resolve(), console, objects=objects, told=told).right

    run_demo(demo, console)


def _tell(outcome: Outcome, console: DemoConsole) -> None:
    console.print(f"\n{outcome.report}\n")
    console.print("Where each task ran:")
    for one in outcome.tries:
        console.print(f"  {one}")
    for difference in outcome.agreement.differences:
        console.print(f"The results do NOT agree with what VOD registered: {difference}")
    if not outcome.agreement.differences:
        repeated = outcome.carried - len(outcome.expected.registered)
        console.step(
            f"Compared object by object with what VOD registered: {len(outcome.expected.registered):,} registered once each, "
            f"{len(outcome.expected.failed):,} failed as expected, no difference; {repeated:,} files were under way when their "
            "worker was killed, and were sent again to the same MediaId"
        )
    console.step(f"The report in Airflow: {outcome.page}")


def _stay(outcome: Outcome, sign_in: str, console: DemoConsole) -> None:
    console.print(f"\nThe cluster stays up\n  {sign_in}\n  the report: {outcome.page}\n  Ctrl-C stops everything\n")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
