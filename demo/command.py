"""What the demos' commands have in common: signals, failures and exit codes."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import typer

from demo.airflow_api import ApiFailed
from demo.console import DemoConsole
from demo.processes import ChildFailed
from vod_migrate.errors import VodMigrateError

_INTERRUPTED = 130
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stays_up(console: DemoConsole, keep: bool | None) -> bool:
    """Whether everything stays up at the end. keep: the user's choice; default: only on a terminal."""
    return console.is_terminal and sys.stdin.isatty() if keep is None else keep


def run_demo(play: Callable[[], bool], console: DemoConsole) -> NoReturn:
    """Plays a demo, which stops what it started even if a signal ends it. The exit code says whether it returned true."""
    # The embedded Postgres keeps its socket elsewhere where there is no such folder; nobody needs to know.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    for number in _ENDINGS:
        signal.signal(number, _end)
    try:
        right = play()
    except KeyboardInterrupt:
        console.step("Interrupted; everything is stopped.")
        raise typer.Exit(_INTERRUPTED) from None
    except (ChildFailed, ApiFailed, VodMigrateError) as error:
        console.step("The demo failed; everything is stopped.")
        console.print(str(error))
        raise typer.Exit(1) from None
    console.step("Done; nothing is left running." if right else "Finished with errors; see above.")
    raise typer.Exit(0 if right else 1)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    # One way out for all of them, which a second signal must not cut short: it stops everything.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
