"""What the commands share: the results store, runs by ID or name, messages, reports, signals that end the work."""

from __future__ import annotations

import getpass
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from vod_migrate.cli.completion import complete_run
from vod_migrate.cli.spoken import confirm
from vod_migrate.cli.streams import print_json
from vod_migrate.errors import BadOption
from vod_migrate.report.files import ReportFiles
from vod_migrate.report.language import Language
from vod_migrate.report.terminal import Line, rendered
from vod_migrate.results.address import database_url
from vod_migrate.results.run import Run
from vod_migrate.results.session import RUN_CONNECTIONS
from vod_migrate.results.store import Store
from vod_migrate.shutdown import StopSignal


def run_argument(meaning: str, *, metavar: str = "RUN") -> Any:
    """The argument that names a run or a migration, which a shell completes. meaning: its help."""
    return typer.Argument(metavar=metavar, help=meaning, autocompletion=complete_run)


RunArgument = Annotated[str, run_argument("A run's ID, or a migration's name for its latest run.")]

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def user() -> str:
    """Who runs the command, as reports name them."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        # In a container whose user has no name.
        return f"uid {os.getuid()}"


def answer(body: Any, lines: Iterable[Line], *, as_json: bool) -> None:
    """Prints what a command found: one line of JSON for machines, or lines for people."""
    if as_json:
        print_json(body)
    else:
        typer.echo(rendered(lines, colour=sys.stdout.isatty()), nl=False)


def say(text: str) -> None:
    """Prints a message for a person on stderr, in their language where it has a form."""
    confirm(text, err=True)


@contextmanager
def open_store() -> Iterator[Store]:
    """The results store that the environment names, or the embedded one."""
    with Store.open(database_url(embedded=True), connections=RUN_CONNECTIONS) as store:
        yield store


def find_run(store: Store, name: str, *, sends: bool = False) -> Run:
    """The run of that ID, or the latest run of the migration of that name. sends: a plan is no such run."""
    if not name.isprintable():
        raise BadOption(f"{name!a} is not a run ID or a migration name")
    try:
        return store.run(name)
    except KeyError:
        found = store.latest_run(None, name, sends=sends)
    if found is None:
        raise BadOption(f"there is no run and no migration {name!r} in this database; see `vod-migrate status`")
    return found


def name_files(files: ReportFiles, language: Language) -> None:
    """Says where a report is."""
    for path in (files.html, files.failures_csv, files.mapping_csv):
        say(language.say("wrote {path}", path=path))


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set; a second signal ends the process at once. What nohup ignores stays ignored."""
    asked = StopSignal()

    def on_signal(_number: int, _frame: object) -> None:
        if asked.event.is_set():
            if os.isatty(2):
                # A progress bar had hidden the cursor.
                os.write(2, b"\x1b[?25h")
            os._exit(130)
        asked.ask()
        # Straight to the descriptor: the handler may have interrupted a write to the stream above it.
        with suppress(OSError):
            os.write(2, b"stopping: what is done stays done; press again to stop at once\n")

    heard = [one for one in _STOPPING if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in heard}
    try:
        yield asked.event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
