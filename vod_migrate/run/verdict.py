"""What a run comes to, from what is recorded: why it was no success, or nothing."""

from __future__ import annotations

from vod_migrate.errors import (
    BadInput,
    Cancelled,
    FirstReached,
    ManifestBroken,
    MostlyFailed,
    Paused,
    SourceError,
    Unfinished,
    VodMigrateError,
)
from vod_migrate.report.text_format import counted
from vod_migrate.results.run import Run
from vod_migrate.results.scan import ScanKind, summed
from vod_migrate.results.stop_code import source_error, stop_error
from vod_migrate.results.store import Store
from vod_migrate.results.summary import RunCounts


def verdict(store: Store, run: Run, counts: RunCounts) -> VodMigrateError | None:
    """Why a run was no success; None where it was one, and where it was paused with nothing left."""
    stopped = None if run.stop_code is None else stop_error(run.stop_code, run.stop_message)
    left = counts.pending + counts.unknown
    if isinstance(stopped, Cancelled):
        return Cancelled(f"{stopped}; {counted(left, 'object')} left unsent", code=stopped.code)
    if stopped is not None and not isinstance(stopped, Paused):
        return stopped
    broken = store.scans(run, state="failed")
    if broken:
        first = broken[0]
        more = f" ({len(broken)} prefixes could not be listed)" if len(broken) > 1 else ""
        told = first.error or "the listing failed"
        return source_error(
            first.error_code, f"prefix {first.prefix!r}: {told}{more}" if first.kind is ScanKind.PREFIX else told
        )
    unlisted = bool(store.open_scans(run))
    if not left and not unlisted:
        # Paused with nothing left is done.
        return _unusable(store, run) or _mostly_failed(store, run, counts)
    if stopped is not None:
        return _paused(run, stopped, left, unlisted=unlisted)
    listing = "the listing did not end and " if unlisted else ""
    return Unfinished(f"{listing}{counted(left, 'object')} left to send; the next run continues")


def _unusable(store: Store, run: Run) -> ManifestBroken | None:
    """A manifest or inventory that was read to its end, and of which not one row can be used."""
    rows = [scan for scan in store.scans(run) if scan.kind is ScanKind.ROWS and scan.state == "complete"]
    listed = sum(scan.listed for scan in rows)
    told: dict[str, int] = {}
    for scan in rows:
        told = summed(summed(told, scan.counts), scan.left_out)
    codes = {code: count for code, count in told.items() if code.startswith("row_") and count}
    if not codes or sum(codes.values()) + told.get("duplicate", 0) < listed:
        return None
    most = ", ".join(sorted(codes, key=lambda code: -codes[code]))
    return ManifestBroken(
        f"no row of {rows[0].prefix} can be used ({listed:,} read; {most}): correct the file or the settings of its columns; the report "
        "explains each code and shows rows"
    )


def _mostly_failed(store: Store, run: Run, counts: RunCounts) -> VodMigrateError | None:
    """A run that failed most of what it sent is no success, whatever its threshold allows. Broken rows were never sent."""
    broken = sum(
        count
        for (outcome, code), count in store.outcome_counts(run).items()
        if outcome == "failed" and code.startswith("row_")
    )
    failed, succeeded = counts.failed - broken, counts.registered + counts.already_registered
    if failed <= succeeded:
        return None
    return MostlyFailed(
        f"{failed:,} of {failed + succeeded:,} files failed: see the report for the reasons, then run again (with mode failed for the failed ones)",
        code="mostly_failed",
    )


def _paused(run: Run, why: Paused, left: int, *, unlisted: bool) -> Paused:
    listing = ", and the listing did not end" if unlisted else ""
    if isinstance(why, FirstReached):
        # It says itself how the rest is sent.
        return FirstReached(f"paused, {counted(left, 'object')} left{listing}: {why}", code=why.code)
    return type(why)(
        f"paused, {counted(left, 'object')} left{listing}: {why}. To continue, start the next run of {run.migration!r}, or use "
        f"`vod-migrate resume {run.run_id}`",
        code=why.code,
    )


def state_of(error: VodMigrateError | None) -> str:
    """The state of a run with this verdict."""
    if error is None:
        return "succeeded"
    kinds = (
        (Paused, "paused"),
        (Cancelled, "cancelled"),
        (Unfinished, "interrupted"),
        (SourceError | BadInput | MostlyFailed, "failed"),
    )
    return next((state for kind, state in kinds if isinstance(error, kind)), "stopped")
