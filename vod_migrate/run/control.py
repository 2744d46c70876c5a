"""Controls a run that is under way: pause, cancel, another rate.

A request is written into the run's row. Its workers and its lister look there every second, wherever they run, stop within five
seconds, and the run ends as usual, with a report. Nothing is lost: what was not sent stays pending.
"""

from __future__ import annotations

from vod_migrate.errors import BadOption
from vod_migrate.rate.limiter import API, migration_scope, run_scope
from vod_migrate.results.actions import Deed
from vod_migrate.results.run import Run
from vod_migrate.results.stop_code import StopCode
from vod_migrate.results.store import Store
from vod_migrate.run.access import known_run
from vod_migrate.run.settle import as_it_stands

MOST_CALLS_PER_SECOND = 1000.0


def pause(store: Store, run_id: str, *, by: str) -> Run:
    """Ends a run for now: the next run of its migration goes on with what is left, and so does resuming it.

    by: who asked, as the report names them. Returns the run as it now stands: still `running` with stop code Paused until
    its workers have let go, then `paused`. Pausing again changes nothing; a run that is stopping anyway is left to it.

    Raises:
        BadOption: there is no such run, it has ended otherwise, or it is being cancelled.
    """
    run = known_run(store, run_id)
    if store.ask_to_end(run_id, code=StopCode.PAUSED, message=f"paused by {by}", by=by):
        store.note_run_action(run, Deed.PAUSED, by=by)
    else:
        run = known_run(store, run_id)
        if run.state not in ("running", "paused"):
            raise BadOption(f"run {run_id} has ended already ({run.state}): there is nothing to pause")
        if run.stop_code is StopCode.CANCELLED:
            raise BadOption(f"run {run_id} is being cancelled ({run.stop_message}): it cannot be paused any more")
    return as_it_stands(store, known_run(store, run_id))


def cancel(store: Store, run_id: str, *, by: str) -> Run:
    """Ends a run for good. Its objects that were not sent stay pending, and the next run of the migration takes them.

    by: who asked, as the report names them. Returns the run as it now stands: still `running` with stop code Cancelled until
    its workers have let go, then `cancelled`. A paused run can be cancelled, too; cancelling again changes nothing.

    Raises:
        BadOption: there is no such run, or it has ended otherwise.
    """
    code, message = StopCode.CANCELLED, f"cancelled by {by}"
    run = known_run(store, run_id)
    if store.ask_to_end(run_id, code=code, message=message, by=by) or store.cancel_paused(
        run_id, code=code, message=message, by=by
    ):
        store.note_run_action(run, Deed.CANCELLED, by=by)
    else:
        run = known_run(store, run_id)
        if run.state not in ("running", "cancelled"):
            raise BadOption(f"run {run_id} has ended already ({run.state}): there is nothing to cancel")
    return as_it_stands(store, known_run(store, run_id))


def set_run_rate(store: Store, run_id: str, calls_per_second: float | None, *, by: str) -> Run:
    """Sets the own rate of a run under way; None removes it. Its workers follow within three seconds.

    The rates of the account and of the migration still apply. Returns the run with its options as they now are.

    Raises:
        BadOption: there is no such run, it has ended, or the rate is not a number above 0 and up to 1000.
    """
    _check_rate(calls_per_second)
    run = known_run(store, run_id)
    if run.state != "running":
        raise BadOption(f"run {run_id} has ended ({run.state}): its rate can no longer be changed")
    _change(store, run.account, run_scope(run_id), calls_per_second)
    store.note_rate(run_id, calls_per_second)
    store.note_run_action(run, Deed.RUN_RATE, by=by, detail=_told(calls_per_second))
    return known_run(store, run_id)


def set_migration_rate(store: Store, account: str, migration: str, calls_per_second: float | None, *, by: str) -> None:
    """Sets the own rate of a migration for its runs under way; None removes it.

    The next run that begins while none is under way follows the migration file again.

    Raises:
        BadOption: the rate is not a number above 0 and up to 1000.
    """
    _check_rate(calls_per_second)
    _change(store, account, migration_scope(migration), calls_per_second)
    store.note_action(account, Deed.MIGRATION_RATE, by=by, migration=migration, detail=_told(calls_per_second))


def set_account_rate(store: Store, account: str, calls_per_second: float, *, by: str) -> None:
    """Sets the rate that all workers of an account share; they follow at once.

    Raises:
        BadOption: the rate is not a number above 0 and up to 1000.
    """
    _check_rate(calls_per_second)
    store.set_quota(account, API, calls_per_second)
    store.note_action(account, Deed.ACCOUNT_RATE, by=by, detail=_told(calls_per_second))


def discard(store: Store, run: Run, *, by: str) -> int | None:
    """Gives up what a run left unsent. Returns how many objects; None where it is under way, or was discarded before."""
    deleted = store.discard(run.run_id)
    if deleted is not None:
        store.note_run_action(run, Deed.DISCARDED, by=by, detail=f"{deleted:,} objects")
    return deleted


def transfer(store: Store, account: str, old: str, new: str, *, by: str) -> int:
    """Hands the objects of one migration over to another. Returns how many.

    Raises:
        BadOption: see `Store.transfer`.
    """
    moved = store.transfer(account, old, new)
    for migration in (old, new):
        detail = f"{moved:,} objects from {old} to {new}"
        store.note_action(account, Deed.TRANSFERRED, by=by, migration=migration, detail=detail)
    return moved


def _told(calls_per_second: float | None) -> str:
    return "none" if calls_per_second is None else f"{calls_per_second:g} calls/s"


def _change(store: Store, account: str, scope: str, calls_per_second: float | None) -> None:
    if calls_per_second is None:
        store.drop_cap(account, API, scope)
    else:
        store.set_quota(account, API, calls_per_second, scope=scope)


def _check_rate(calls_per_second: float | None) -> None:
    if calls_per_second is not None and not 0 < calls_per_second <= MOST_CALLS_PER_SECOND:
        raise BadOption(
            f"calls per second: {calls_per_second:g} is not a rate: give a number above 0 and up to {MOST_CALLS_PER_SECOND:g}"
        )
