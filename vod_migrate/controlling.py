"""The commands that speak to a run under way: pause, cancel."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from vod_migrate.console import JsonOption, RunArgument, find_run, open_store

if TYPE_CHECKING:
    from vod_migrate.results.rows import Run
    from vod_migrate.results.store import Store

__all__ = ["control_app"]

control_app = typer.Typer()

LETTING_GO_SECONDS = 6.0
"""How long a command waits to see the run end; workers stop within five."""
_GLANCE_SECONDS = 0.25

ByOption = Annotated[str | None, typer.Option("--by", help="Who asks, for the report; else the user of this machine.")]


@control_app.command()
def pause(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """End a run for now, within seconds; what is left stays pending, and `resume` goes on with it."""
    from vod_migrate import control  # noqa: PLC0415 - slow imports

    with open_store() as store:
        run = control.pause(store, find_run(store, of).run_id, by=by or getpass.getuser())
        _tell(store, run, as_json=as_json, until="paused", fix=f"go on with `vod-migrate resume {run.run_id}`")


@control_app.command()
def cancel(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """End a run for good, within seconds; what it has not sent stays pending for the next run of its migration."""
    from vod_migrate import control  # noqa: PLC0415 - slow imports

    with open_store() as store:
        run = control.cancel(store, find_run(store, of).run_id, by=by or getpass.getuser())
        _tell(store, run, as_json=as_json, until="cancelled", fix=f"see `vod-migrate report {run.run_id}`")


def _tell(store: Store, run: Run, *, as_json: bool, until: str, fix: str) -> None:
    """Waits for a moment to see the run end, and says how it stands."""
    deadline = time.monotonic() + LETTING_GO_SECONDS
    while run.state == "running" and time.monotonic() < deadline:
        time.sleep(_GLANCE_SECONDS)
        run = store.run(run.run_id)
    if as_json:
        fields = {"run_id": run.run_id, "state": run.state, "stop_code": run.stop_code, "stop": run.stop_message}
        typer.echo(json.dumps(fields, ensure_ascii=False))
    elif run.state == until:
        typer.echo(f"run {run.run_id} is {until}; {fix}")
    elif run.state == "running":
        typer.echo(
            f"run {run.run_id} sends nothing more ({run.stop_message}), and is {until} when its tasks have ended"
        )
    else:
        typer.echo(f"run {run.run_id} has ended meanwhile ({run.state})")
