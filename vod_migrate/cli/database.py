"""The commands `db upgrade`, `db check` and `db prune`, and what hands over or gives up what is in the database: `transfer`, `discard`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from vod_migrate.cli.console import find_run, open_store, run_argument, user
from vod_migrate.cli.spoken import confirm
from vod_migrate.errors import BadOption
from vod_migrate.report.progress import shown_wait
from vod_migrate.results.address import database_url
from vod_migrate.results.database import check_schema, upgrade_schema
from vod_migrate.run import control

database_app = typer.Typer(help="The results database.", no_args_is_help=True)
PRUNED_DAYS = 90
PLAN_DAYS = 14


@database_app.command("upgrade")
def upgrade_database() -> None:
    """Bring the results database to this version's schema (VOD_MIGRATE_DATABASE_URL, or the embedded one)."""
    with shown_wait("upgrading the results database"):
        version = upgrade_schema(database_url(embedded=True))
    confirm(f"the results database is at schema {version}")


@database_app.command("check")
def check_database(
    recount: Annotated[
        bool, typer.Option("--recount", help="Recount the totals of the pages from the objects.")
    ] = False,
) -> None:
    """Check that the results database is usable."""
    version = check_schema(database_url(embedded=True))
    confirm(f"the results database is usable and is at schema {version}")
    if recount:
        with open_store() as store:
            store.recount()
        confirm("the totals were recounted")


@database_app.command("prune")
def prune_database(
    days: Annotated[
        int, typer.Option(min=1, help="Delete the audit of runs that ended more than this many days ago.")
    ] = PRUNED_DAYS,
    plan_days: Annotated[
        int, typer.Option(min=1, help="Delete the lists of plans that were made more than this many days ago.")
    ] = PLAN_DAYS,
) -> None:
    """Delete old audit (calls, events, rates) and the lists of old plans, and free the disk space of settled work.

    Every object keeps its MediaId. Runs that an object refers to keep their migration file and time window.
    """
    with open_store() as store:
        now = store.now()
        plans = store.drop_old_plans(now - dt.timedelta(days=plan_days))
        pruned = store.prune(now - dt.timedelta(days=days))
    confirm(
        f"deleted: the audit of {pruned.runs:,} runs ({pruned.calls:,} calls, {pruned.events:,} events) and the lists of {plans:,} plans"
    )


def transfer(
    old: Annotated[str, typer.Argument(help="The migration that owns the objects now.")],
    new: Annotated[str, typer.Argument(help="The migration that will own them.")],
    account: Annotated[
        str, typer.Option(help="The account name of both migrations.", envvar="VOD_MIGRATE_ACCOUNT")
    ] = "default",
) -> None:
    """Hand over all registered and failed objects of one migration to another one, for example after a rename or a trial."""
    with open_store() as store:
        moved = control.transfer(store, account, old, new, by=user())
    confirm(f"{moved:,} objects of {old!r} now belong to {new!r}")


def discard(run: Annotated[str, run_argument("A run that has ended, or a plan.")]) -> None:
    """Discard the unsent objects of a run, so that no later run takes them over; a later listing may find them again."""
    with open_store() as store:
        found = find_run(store, run)
        deleted = control.discard(store, found, by=user())
    if deleted is None:
        raise BadOption(
            f"run {found.run_id} is active, or was already discarded: cancel an active run first with `vod-migrate cancel {found.run_id}`"
        )
    confirm(f"run {found.run_id}: {deleted:,} unsent objects were discarded")
