"""What happened, in one sentence: the first thing that anybody reads of a run."""

from __future__ import annotations

from vod_migrate.report.model import RunFacts
from vod_migrate.report.wording import counted, duration, grouped
from vod_migrate.results.rows import Counts

__all__ = ["sentence"]


def sentence(*, run: RunFacts, counts: Counts, prefixes: int, prefixes_failed: int) -> str:
    """One sentence, without the names that every face shows above it."""
    waiting = counts.pending + counts.unknown
    if run.state == "planned":
        return f"Only planned, nothing was sent: {counted(waiting, 'object')} would be."
    if run.state in ("running", "stopped", "interrupted"):
        return _cut_short(run, counts, waiting)
    if prefixes_failed:
        which = (
            f"{grouped(prefixes_failed)} of {counted(prefixes, 'prefix', 'prefixes')}" if prefixes > 1 else "The prefix"
        )
        which = which if run.listed else "The source"
        return (
            f"{which} could not be {'listed' if run.listed else 'read'}; {_settled(counts)} in {duration(run.seconds)}."
        )
    if waiting:
        return f"Ended with work left: {_settled(counts)}, {counted(waiting, 'object stays', 'objects stay')} pending."
    if not counts.settled:
        return _nothing(run, counts)
    return f"{_settled(counts)} in {duration(run.seconds)}."


def _cut_short(run: RunFacts, counts: Counts, waiting: int) -> str:
    if run.state == "running":
        rest = f"; {grouped(waiting)} more are waiting" if waiting else ""
        return f"Running for {duration(run.seconds)}: {_settled(counts)} so far{rest}."
    if run.state == "stopped":
        rest = f"; {counted(waiting, 'object stays', 'objects stay')} pending" if waiting else ""
        return f"Stopped after {duration(run.seconds)}: {_settled(counts)}{rest}."
    rest = f"; the next run goes on with the other {grouped(waiting)}" if waiting else ""
    return f"Interrupted after {duration(run.seconds)}: {_settled(counts)}{rest}."


def _settled(counts: Counts) -> str:
    parts = [f"{counted(counts.registered, 'object')} registered"]
    if counts.already_registered:
        parts.append(f"{grouped(counts.already_registered)} already known to VOD")
    if counts.failed:
        parts.append(f"{grouped(counts.failed)} failed")
    if len(parts) == 1:
        return parts[0] if counts.registered else "no object registered"
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _nothing(run: RunFacts, counts: Counts) -> str:
    if run.mode == "failed":
        return "Nothing to do: this migration had no failed objects."
    if not counts.discovered:
        return f"Nothing to do: no object was found {'under the prefixes' if run.listed else 'in the source'}."
    left_out = sum(counts.left_out.values())
    if left_out == counts.discovered:
        return f"Nothing to do: all {counted(left_out, 'listed object')} were left out."
    return f"Nothing to do: none of the {counted(counts.discovered, 'listed object')} is new."
