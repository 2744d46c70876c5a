"""What a run that resumes another one takes from it: its options, its unfinished listing; and whether there is anything to resume."""

from __future__ import annotations

from vod_migrate.errors import BadOption
from vod_migrate.results.rows import Run
from vod_migrate.results.store import Store
from vod_migrate.spec import Migration, RunOptions

__all__ = ["scans_to_continue", "taken_up"]

_MAY_DIFFER = ("calls_per_second", "max_objects", "max_calls", "max_minutes", "ignore_window")


def taken_up(store: Store, before: Run, given: RunOptions) -> RunOptions:
    """The options of the earlier run, with the pace and the brakes that are given now; of its limit what is left of it.

    Raises:
        BadOption: an option is given that would make it another run.
    """
    others = sorted(name for name in given.stored() if name not in (*_MAY_DIFFER, "resume"))
    if others:
        raise BadOption(
            f"resume: run {before.run_id} goes on as it was begun, so leave {', '.join(others)} out; what may differ: "
            f"{', '.join(_MAY_DIFFER)}"
        )
    changed = {name: getattr(given, name) for name in _MAY_DIFFER if getattr(given, name)}
    room = store.room_left(before)
    # A limit that is used up leaves nothing to list, so it has no meaning any more.
    return before.options.model_copy(update={**changed, "resume": before.run_id, "limit": room or before.options.limit})


def scans_to_continue(store: Store, before: Run, migration: Migration) -> str | None:
    """The run whose unfinished listing is taken up; None where there is none.

    Raises:
        BadOption: the run is another migration's, has not ended, was ended for good, or has nothing left.
    """
    run_id = before.run_id
    if before.migration != migration.name:
        raise BadOption(f"run {run_id} is one of {before.migration!r}, not of {migration.name!r}: resume it there")
    if before.state == "running":
        raise BadOption(
            f"run {run_id} is under way: wait for its end, or pause it first with `vod-migrate pause {run_id}`"
        )
    if before.state in ("cancelled", "planned"):
        raise BadOption(
            f"run {run_id} was {before.state} and cannot be resumed; the next run of {before.migration!r} takes what it left"
        )
    left, unlisted = store.rest(before)
    if store.room_left(before) == 0:
        unlisted = 0
    if not left and not unlisted:
        raise BadOption(
            f"nothing is left of run {run_id} ({before.state}): it was done, or a later run went on with the rest; see "
            "`vod-migrate status`"
        )
    return run_id if unlisted else None
