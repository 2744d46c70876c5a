"""The commands that speak to a run: pause, cancel and rate while it is under way, resume when it has ended."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from vod_migrate.cli.console import JsonOption, ReportOption, RunArgument, find_run, open_store, option_help
from vod_migrate.cli.run import run_to_end
from vod_migrate.errors import BadOption
from vod_migrate.migration.options import parse_options

if TYPE_CHECKING:
    from vod_migrate.results.run import Run
    from vod_migrate.results.store import Store

control_app = typer.Typer()

LETTING_GO_SECONDS = 6.0
"""How long a command waits to see the run end; workers stop within five."""
_GLANCE_SECONDS = 0.25

ByOption = Annotated[str | None, typer.Option("--by", help="Who asks, for the report; else the user of this machine.")]


@control_app.command()
def pause(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """End a run for now, within seconds; what is left stays pending; `resume` continues it."""
    from vod_migrate.run import control  # noqa: PLC0415 - slow imports

    with open_store() as store:
        run = control.pause(store, find_run(store, of).run_id, by=by or getpass.getuser())
        _tell(store, run, as_json=as_json, until="paused", fix=f"continue with `vod-migrate resume {run.run_id}`")


@control_app.command()
def cancel(of: RunArgument, by: ByOption = None, as_json: JsonOption = False) -> None:
    """End a run for good, within seconds; what it has not sent stays pending for the next run of its migration."""
    from vod_migrate.run import control  # noqa: PLC0415 - slow imports

    with open_store() as store:
        run = control.cancel(store, find_run(store, of).run_id, by=by or getpass.getuser())
        _tell(store, run, as_json=as_json, until="cancelled", fix=f"see `vod-migrate report {run.run_id}`")


@control_app.command()
def resume(
    of: RunArgument,
    calls_per_second: Annotated[float | None, typer.Option(help=option_help("calls_per_second"))] = None,
    max_objects: Annotated[int | None, typer.Option(help=option_help("max_objects"))] = None,
    max_calls: Annotated[int | None, typer.Option(help=option_help("max_calls"))] = None,
    max_minutes: Annotated[float | None, typer.Option(help=option_help("max_minutes"))] = None,
    ignore_window: Annotated[bool, typer.Option("--ignore-window", help=option_help("ignore_window"))] = False,
    report_dir: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Continue with what a run has left, in a new run: the same file and options, without listing again."""
    from vod_migrate.cloud.connection import connection_from_environment  # noqa: PLC0415 - slow imports
    from vod_migrate.run.prepare import prepare  # noqa: PLC0415 - slow imports
    from vod_migrate.run.request import Origin  # noqa: PLC0415 - slow imports

    connection = connection_from_environment()
    changed = {
        "calls_per_second": calls_per_second,
        "max_objects": max_objects,
        "max_calls": max_calls,
        "max_minutes": max_minutes,
        "ignore_window": ignore_window or None,
    }

    def begin(store: Store, run_id: str) -> Run:
        before = find_run(store, of)
        return prepare(
            store=store,
            connection=connection,
            migration=before.spec,
            options=parse_options({**changed, "resume": before.run_id}),
            origin=Origin(),
            run_id=run_id,
        )

    run_to_end(connection, begin, report_dir=report_dir, as_json=as_json)


@control_app.command()
def rate(
    of: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MIGRATION", help="The id of a run under way, or a migration's name for all of its runs."
        ),
    ],
    calls_per_second: Annotated[
        str, typer.Argument(metavar="N|none", help="Calls per second; `none` removes the override.")
    ],
) -> None:
    """Change the rate of a run, or of a migration's runs, while they are under way; they follow within seconds."""
    from vod_migrate.run import control  # noqa: PLC0415 - slow imports

    wanted = _number(calls_per_second)
    with open_store() as store:
        run = find_run(store, of)
        if run.run_id == of:
            control.set_run_rate(store, of, wanted)
            what = f"run {of}"
        else:
            control.set_migration_rate(store, run.account, of, wanted)
            what = f"the runs of {of!r} that are under way"
    now = "no limit of their own" if wanted is None else f"at most {wanted:g} calls per second"
    typer.echo(f"{what}: {now}, within the account's rate")


def _number(text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise BadOption(f"calls per second: {text!r} is not a number: give one, e.g. 20, or none") from None


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
