"""A new run over the rest of an earlier one: its options, its unfinished listing; and whether there is anything to resume."""

from __future__ import annotations

from vod_migrate.cloud.connection import Connection
from vod_migrate.errors import BadOption
from vod_migrate.migration.model import Migration
from vod_migrate.migration.options import RunOptions, options_of
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.store import Store
from vod_migrate.run.access import owned_run
from vod_migrate.run.request import Origin, check_rate, new_run_id
from vod_migrate.run.settle import as_it_stands


def resume(
    store: Store,
    connection: Connection,
    migration: Migration,
    options: RunOptions,
    origin: Origin,
    run_id: str | None,
) -> Run:
    """A new run over the rest of an earlier one, with that one's file."""
    before = owned_run(store, connection, options.resume or "")
    if before.migration != migration.name:
        # Before anything is settled: whoever may run one migration must not end a run of another one.
        raise BadOption(
            f"run {before.run_id} belongs to {before.migration!r}, not to {migration.name!r}: resume it there"
        )
    if before.gate in (Gate.PLANNING, Gate.APPROVING):
        raise BadOption(
            f"resume: run {before.run_id} has sent nothing yet, because its plan was not approved, or its source was not listed again: run it "
            "again with the digest of the plan"
        )
    asked = Run(
        run_id=run_id or new_run_id(),
        account=before.account,
        region=before.region,
        migration=before.migration,
        bucket=before.bucket,
        mode=before.mode,
        options=resumed_options(store, before, options),
        spec=before.spec,
        spec_digest=before.spec_digest,
        local_date=before.local_date,
        **origin.fields(),
    )
    check_rate(asked.spec, asked.options)
    retried = store.same_origin(asked)
    if retried is not None:
        return retried
    before = as_it_stands(store, before)
    check_resumable(store, before)
    run = store.prepare_run(asked, prefixes=(), whole=False, continues=before)
    store.keep_caps(run)
    return run


_MAY_DIFFER = options_of("resume")


def resumed_options(store: Store, before: Run, given: RunOptions) -> RunOptions:
    """The options of the earlier run, with the rate and the limits that are given now; of its limit what is left of it.

    Raises:
        BadOption: an option is given that would make it another run.
    """
    others = sorted(name for name in given.stored() if name not in (*_MAY_DIFFER, "resume"))
    if others:
        raise BadOption(
            f"resume: run {before.run_id} continues with its own file and options, so leave {', '.join(others)} out; you may change only: "
            f"{', '.join(_MAY_DIFFER)}"
        )
    changed = {name: getattr(given, name) for name in _MAY_DIFFER if getattr(given, name)}
    room = store.room_left(before)
    # A limit that is used up leaves nothing to list, so it has no meaning any more.
    return before.options.model_copy(update={**changed, "resume": before.run_id, "limit": room or before.options.limit})


def check_resumable(store: Store, before: Run) -> None:
    """Refuses to resume a run where there is nothing to resume.

    Raises:
        BadOption: the run has not ended, was ended for good, or has nothing left.
    """
    run_id = before.run_id
    if before.state == "running":
        raise BadOption(
            f"run {run_id} is under way: wait for its end, or pause it first with `vod-migrate pause {run_id}`"
        )
    if before.state in ("cancelled", "planned"):
        raise BadOption(
            f"run {run_id} was {before.state} and cannot be resumed; the next run of {before.migration!r} takes over its remaining objects"
        )
    left, unlisted = store.rest(before)
    if store.room_left(before) == 0:
        unlisted = 0
    if not left and not unlisted:
        raise BadOption(
            f"run {run_id} ({before.state}) has nothing left: it was completed, or a later run took over the rest; see "
            "`vod-migrate status`"
        )
