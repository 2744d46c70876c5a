"""The commands that act on a run: pause, cancel and rate while it is active, resume when it has ended."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from vod_migrate.cli.console import RunArgument, find_run, open_store, run_argument, user
from vod_migrate.cli.options import JsonOption, ReportOption, takes_run_options
from vod_migrate.cli.run import run_to_end
from vod_migrate.cli.spoken import confirm
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import connection_from_environment
from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run import control

LETTING_GO_SECONDS = 6.0
"""How long a command waits to see the run end; workers stop within five."""
_GLANCE_SECONDS = 0.25

ByOption = Annotated[
    str | None, typer.Option("--by", help="Your name in the report; the user of this machine by default.")
]


def pause(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Pause a run within seconds; unsent objects stay pending, and `resume` continues the run."""
    with open_store() as store:
        run = control.pause(store, find_run(store, of).run_id, by=by or user())
        _show(store, run, as_json=as_json, until="paused", fix=f"continue with `vod-migrate resume {run.run_id}`")


def cancel(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """Cancel a run within seconds; unsent objects stay pending for the next run of its migration."""
    with open_store() as store:
        run = control.cancel(store, find_run(store, of).run_id, by=by or user())
        _show(store, run, as_json=as_json, until="cancelled", fix=f"see `vod-migrate report {run.run_id}`")


@takes_run_options("resume")
def resume(
    of: RunArgument,
    options: RunOptions,
    report_dir: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a new run for the unsent objects of a run, with the same file and options, without listing again."""

    def asked(store: Store) -> tuple[Migration, RunOptions]:
        before = find_run(store, of, sends=True)
        return before.spec, options.model_copy(update={"resume": before.run_id})

    run_to_end(connection_from_environment(), asked, report_dir=report_dir, as_json=as_json)


def rate(
    of: Annotated[
        str,
        run_argument(
            "The ID of an active run, or a migration's name for all of its active runs.", metavar="RUN|MIGRATION"
        ),
    ],
    calls_per_second: Annotated[
        str, typer.Argument(metavar="N|none", help="Calls per second; `none` removes the override.")
    ],
) -> None:
    """Change the rate of an active run, or of a migration's active runs, within seconds."""
    wanted = _number(calls_per_second)
    with open_store() as store:
        run = find_run(store, of)
        if run.run_id == of:
            control.set_run_rate(store, of, wanted, by=user())
            what = f"run {of}"
        else:
            control.set_migration_rate(store, run.account, of, wanted, by=user())
            what = f"the active runs of {of!r}"
    now = "no separate limit" if wanted is None else f"at most {wanted:g} calls per second"
    confirm(f"{what}: {now}, within the account's rate")


def _number(text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadOption(f"calls per second: {text!r} is not a number: write a number such as 20, or none") from None


def _show(store: Store, run: Run, *, as_json: bool, until: str, fix: str) -> None:
    """Waits a moment for the run to end, and prints its state."""
    deadline = time.monotonic() + LETTING_GO_SECONDS
    while run.state == "running" and time.monotonic() < deadline:
        time.sleep(_GLANCE_SECONDS)
        run = store.run(run.run_id)
    if as_json:
        fields = {"run_id": run.run_id, "state": run.state, "stop_code": run.stop_code, "stop": run.stop_message}
        print_json(fields)
    elif run.state == until:
        confirm(f"run {run.run_id} is {until}; {fix}")
    elif run.state == "running":
        confirm(
            f"run {run.run_id} sends nothing more ({run.stop_message}) and will be {until} once its tasks have ended"
        )
    else:
        confirm(f"run {run.run_id} has ended in the meantime ({run.state})")
