"""The newest runs and their numbers, as rows and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len

from vod_migrate.errors import BadOption
from vod_migrate.report.language import ENGLISH, Language
from vod_migrate.report.terminal import padded
from vod_migrate.results.run import Run
from vod_migrate.results.store import Store

COLUMNS = ("run_id", "migration", "mode", "state", "registered", "failed", "pending", "calls", "started")


def status_rows(store: Store, *, of: str | None = None, most: int = 10) -> list[dict[str, Any]]:
    """The newest runs, newest first: of one run, one migration, or all."""
    if of is not None and not of.isprintable():
        raise BadOption(f"{of!a} is not a run ID or a migration name")
    try:
        runs = store.runs(migration=None, most=most) if of is None else [store.run(of)]
    except KeyError:
        runs = store.runs(migration=of, most=most)
    if of is not None and not runs:
        raise BadOption(f"there is no run and no migration {of!r} in this database; see `vod-migrate status`")
    return [_row(store, run) for run in runs]


def render_status(rows: Sequence[Mapping[str, Any]], *, language: Language = ENGLISH) -> str:
    """An aligned table."""
    if not rows:
        return language.say("no runs yet: start one with `vod-migrate run FILE`")
    table = [[language.say(name) for name in COLUMNS]]
    table += [[_shown({**row, "state": language.say(row["state"])}[name]) for name in COLUMNS] for row in rows]
    widths = [max(cell_len(line[column]) for line in table) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table
    )


def _row(store: Store, run: Run) -> dict[str, Any]:
    counts = store.counts(run.run_id)
    return {
        "run_id": run.run_id,
        "migration": run.migration,
        "bucket": run.bucket,
        "account": run.account,
        "mode": run.mode.value,
        "state": run.state,
        "stop": run.stop_message,
        "registered": counts.registered + counts.already_registered,
        "failed": counts.failed,
        "pending": counts.pending + counts.unknown,
        "calls": counts.calls,
        "counts": counts.as_json(),
        "started": None if run.created_at is None else run.created_at.isoformat(timespec="seconds"),
        "finished": None if run.finished_at is None else run.finished_at.isoformat(timespec="seconds"),
    }


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value or "")
