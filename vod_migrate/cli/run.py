"""A whole run from the command line, in one process: list on one thread, register beside it, report at the end."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from vod_migrate.cli.console import find_run, name_files, open_store, run_argument, say, stop_on_signals, user
from vod_migrate.cli.metrics import statsd_metrics
from vod_migrate.cli.options import FileArgument, JsonOption, ReportOption, takes_run_options
from vod_migrate.cli.plan import show_plan
from vod_migrate.cli.spoken import spoken
from vod_migrate.cli.streams import print_json
from vod_migrate.cloud.connection import Connection, connection_from_environment
from vod_migrate.doctor.preflight import preflight
from vod_migrate.errors import BadOption, Interrupted, Paused, Unfinished, VodMigrateError
from vod_migrate.metrics import Metrics
from vod_migrate.migration.changed_settings import with_settings
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions
from vod_migrate.migration.units import ALL_PARTS
from vod_migrate.report.language import Language
from vod_migrate.report.progress import shown_progress
from vod_migrate.report.text_format import grouped
from vod_migrate.results.claims import ROLES
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store
from vod_migrate.run import lifecycle
from vod_migrate.run.conclusion import conclude
from vod_migrate.run.notification import Messenger
from vod_migrate.run.prepare import prepare
from vod_migrate.run.request import Origin, new_run_id

CLI_SLOT = "cli"
_LONGEST_SLOT = 100
_LETTING_GO_SECONDS = 5.0


def run_to_end(
    connection: Connection,
    asked: Callable[[Store], tuple[Migration, RunOptions]],
    *,
    report_dir: Path | None,
    as_json: bool,
) -> None:
    """Prepares a run, works until it ends, and raises why it was not a success. asked: what is to be run, and how."""
    run_id, language = new_run_id(), spoken()
    with statsd_metrics() as metrics, open_store() as store, stop_on_signals() as stop:
        migration, options = asked(store)
        run = prepare(
            store=store,
            connection=connection,
            migration=migration,
            options=options,
            origin=Origin(by=user()),
            run_id=run_id,
        )
        say(
            language.say(
                "run {run} of {name!r} on bucket {bucket!r}", run=run_id, name=run.migration, bucket=run.bucket
            )
        )
        _say_what_comes_first(store, run, language)
        quiet = as_json and not sys.stderr.isatty()
        trouble, signalled = _work(store, connection, run_id, stop, metrics=metrics, quiet=quiet, language=language)
        end = conclude(
            store=store,
            run_id=run_id,
            directory=report_dir,
            connect=lambda: connection,
            messenger=Messenger(stop=stop),
            language=language,
            colour=sys.stdout.isatty(),
        )
        if end.files is not None:
            name_files(end.files, language)
        if as_json:
            print_json(end.as_json())
        else:
            typer.echo(end.text)
            if end.unsent:
                say(language.pair(language.say("Warning"), end.unsent))
        counts = end.summary.counts
        if counts.registered + counts.already_registered:
            _say_when_to_verify(run, language)
        why = _why(end.summary.error, trouble, stopped=signalled)
    if why is not None:
        raise why


def _say_what_comes_first(store: Store, run: Run, language: Language) -> None:
    first = run.spec.first
    if first is not None and store.first_is_ahead(run, most=first.objects):
        most = grouped(first.objects)
        say(language.say("once the source is listed, {n} of its objects are sent before the rest", n=most))
        if first.verify:
            say(language.say("the run waits up to {time} until VOD has processed them", time=first.timeout))


def _say_when_to_verify(run: Run, language: Language) -> None:
    verify = run.spec.verify
    if verify is not None:
        sample = "" if verify.millionths >= ALL_PARTS else f" --sample {verify.sample.removesuffix(' %')}"
        asking = language.say("in {time}, check in VOD that they can be played", time=verify.after)
        say(language.pair(asking, f"vod-migrate verify {run.run_id}{sample}"))


def _work(
    store: Store,
    connection: Connection,
    run_id: str,
    stop: threading.Event,
    *,
    metrics: Metrics | None,
    quiet: bool,
    language: Language,
) -> tuple[list[VodMigrateError], bool]:
    """Lists and registers. Returns what went wrong, and whether a signal ended it."""
    trouble: list[VodMigrateError] = []
    halt = threading.Event()

    def discover() -> None:
        try:
            lifecycle.discover(store=store, connection=connection, run_id=run_id, stop=halt, metrics=metrics)
        except Paused:
            return
        except VodMigrateError as error:
            trouble.append(error)

    def pass_on() -> None:
        stop.wait()
        halt.set()

    listing = threading.Thread(target=discover, daemon=True)
    threading.Thread(target=pass_on, daemon=True).start()
    listing.start()
    with shown_progress(store, run_id, quiet=quiet, language=language):
        try:
            lifecycle.register(
                store=store,
                connection=connection,
                run_id=run_id,
                slot=CLI_SLOT,
                stop=stop,
                patience=0.0,
                metrics=metrics,
            )
        except Paused:
            # A window or `pause_after` ends sending; listing continues, so that the next run knows what is there.
            pass
        except VodMigrateError as error:
            trouble.insert(0, error)
        if trouble:
            # What ended registering ends listing, too.
            halt.set()
        while listing.is_alive() and not halt.is_set():
            listing.join(timeout=0.25)
        listing.join(timeout=_LETTING_GO_SECONDS)
    return trouble, stop.is_set()


def _why(verdict: VodMigrateError | None, trouble: list[VodMigrateError], *, stopped: bool) -> VodMigrateError | None:
    """What the process ends with: what is in the run's row, unless that only says that something is left."""
    if not isinstance(verdict, Unfinished):
        return verdict
    if stopped:
        return Interrupted(str(verdict))
    return next((error for error in trouble if not isinstance(error, Interrupted)), verdict)


@takes_run_options("run")
def run(file: FileArgument, options: RunOptions, report_dir: ReportOption = None, as_json: JsonOption = False) -> None:
    """Run a migration: list the source, register the objects, record the results, report."""
    migration = with_settings(load_migration(file), options.settings or ())
    if options.dry_run:
        show_plan(file, migration, options, as_json=as_json)
        return
    run_migration(connection_from_environment(), migration, options, report_dir=report_dir, as_json=as_json)


def run_migration(
    connection: Connection, migration: Migration, options: RunOptions, *, report_dir: Path | None, as_json: bool
) -> None:
    """A new run of a migration to its end; raises why it was not a success."""
    preflight(connection, migration)
    run_to_end(connection, lambda _: (migration, options), report_dir=report_dir, as_json=as_json)


def work(
    run_id: Annotated[str, run_argument("An active run.")],
    slot: Annotated[
        str,
        typer.Option(
            help="This worker's name in the run. A worker that restarts under the same name takes over its unfinished work."
        ),
    ],
) -> None:
    """Add a worker to an active run, on this or another machine, under the same quota."""
    if slot == CLI_SLOT or slot in ROLES:
        raise BadOption(f"--slot {slot} is used by the run itself; choose another name, e.g. two")
    if not slot.strip() or not slot.isprintable() or len(slot) > _LONGEST_SLOT:
        raise BadOption(
            f"--slot {slot[:_LONGEST_SLOT]!a}: choose a name of 1 to {_LONGEST_SLOT} printable characters, e.g. two"
        )
    connection = connection_from_environment()
    with statsd_metrics() as metrics, open_store() as store, stop_on_signals() as stop:
        started = find_run(store, run_id)
        if started.state != "running":
            raise BadOption(f"run {started.run_id} has ended ({started.state}); start a new one with `vod-migrate run`")
        lifecycle.register(
            store=store, connection=connection, run_id=started.run_id, slot=slot, stop=stop, metrics=metrics
        )
