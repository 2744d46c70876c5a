"""A run that goes on, for a connection that it belongs to."""

from __future__ import annotations

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption, BadSetting
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store


def reopened(store: Store, connection: Connection, run_id: str) -> Run:
    """A run that goes on; one that had ended works again, because a task of it was cleared.

    Raises:
        BadOption: there is no such run. BadSetting: the connection is another account's or region's than the run's.
    """
    run = owned_run(store, connection, run_id)
    if run.state == "running":
        return run
    # A single task of a finished run was cleared: the run works again.
    store.reopen_run(run_id)
    store.keep_caps(run)
    return store.run(run_id)


def owned_run(store: Store, connection: Connection, run_id: str) -> Run:
    """A run of this connection's account and region.

    Raises:
        BadOption: there is no such run. BadSetting: it is another account's or region's.
    """
    run = known_run(store, run_id)
    for what, ours, the_runs in (
        ("account", connection.account, run.account),
        ("region", connection.region, run.region),
    ):
        if ours != the_runs:
            raise BadSetting(
                f"run {run_id} belongs to {what} {the_runs!r}, but this connection names {ours!r}: use the connection of the run"
            )
    return run


def known_run(store: Store, run_id: str) -> Run:
    """A run by its ID.

    Raises:
        BadOption: there is no such run.
    """
    try:
        return store.run(run_id)
    except KeyError:
        raise BadOption(f"there is no run {run_id!r} in this database; see `vod-migrate status`") from None
