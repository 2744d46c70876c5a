"""`python -m demo.cluster`."""

from __future__ import annotations

import signal
import sys
import time
import warnings
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from demo.airflow_api import ApiFailed
from demo.cluster.events import Outcome, play
from demo.console import DemoConsole
from demo.processes import ChildFailed
from vod_migrate.errors import VodMigrateError

_INTERRUPTED = 130
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ROOT = Path(__file__).resolve().parents[2]


def main(
    objects: Annotated[int, typer.Option(help="Objects in the bucket.", min=15_000)] = 20_000,
    keep: Annotated[
        bool | None, typer.Option("--keep/--no-keep", help="Leave it up at the end; default: only on a terminal.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where to write; emptied first.")] = Path(".demo-cluster"),
) -> None:
    """Runs docker-compose.yml without Docker, lets workers fail in the middle of a run, and checks the results."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    console = DemoConsole()
    for number in _ENDINGS:
        signal.signal(number, _end)
    stays = console.is_terminal and sys.stdin.isatty() if keep is None else keep

    def told(outcome: Outcome, sign_in: str) -> None:
        _tell(outcome, console)
        if stays:
            _stay(outcome, sign_in, console)

    try:
        outcome = play(_ROOT, folder.resolve(), console, objects=objects, told=told)
    except KeyboardInterrupt:
        console.step("Interrupted; everything is stopped.")
        raise typer.Exit(_INTERRUPTED) from None
    except (ChildFailed, ApiFailed, VodMigrateError) as error:
        console.step("The demo failed; everything is stopped.")
        console.print(str(error))
        raise typer.Exit(1) from None
    console.step("Done; nothing is left running." if outcome.right else "Finished with errors; see above.")
    raise typer.Exit(0 if outcome.right else 1)


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
            f"{len(outcome.expected.failed):,} failed as they must, no difference; {repeated:,} files were under way when their "
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


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
