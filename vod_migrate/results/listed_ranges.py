"""Listed ranges: what a listing leaves behind, so that the next one costs what has changed.

A range is what one merged page held: its last key, how many keys, a digest of their elements as OSS sent them, and what it added to its scan.
Where the digest is the same and nothing in the range waits, the next scan takes that over without reading the objects. Their facts are as
they were: whatever changes facts otherwise than by settling the work of the run that merged a range leaves the range in doubt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from psycopg.types.json import Jsonb

import vod_migrate
from vod_migrate.migration.options import Mode
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import ListedRange, Scan, SelectedPage
from vod_migrate.results.session import QUERIES, Session, StoreConnection

BLOCK_RANGES = 256
"""Ranges that are read, and passed, together: a quarter of a million keys."""

_WAITING = ("queued", "queued_again", "adopted")


class ListedRanges(Session):
    """What is known of earlier listings."""

    def known_ranges(self, run: Run, prefix: str, *, after: str, most: int = BLOCK_RANGES) -> list[ListedRange]:
        """The next ranges of a prefix after a key, in order."""
        rows = self._ask(
            QUERIES.known_ranges, **run.numbers, prefix=prefix, after=after, rules=rules_of(run), most=most
        )
        # A run of mode all queues what is settled, too.
        usable = run.mode is Mode.NEW
        return [ListedRange(**{**row, "settled": usable and row["settled"]}) for row in rows]

    def doubt_folder(self, run: Run, folder: str) -> None:
        """What is below a folder must be merged again by the next listing."""
        self._do(lambda c: doubt(c, run, first=folder, last=folder + "\U0010ffff"))


def still_settled(connection: StoreConnection, run: Run, scan: Scan, ranges: Sequence[ListedRange]) -> bool:
    """Whether nothing has put any of these in doubt since they were read."""
    settled = QUERIES.settled_ranges(
        connection,
        **run.numbers,
        prefix=scan.prefix,
        rules=rules_of(run),
        until=[one.until for one in ranges],
    )
    return int(settled) == len(ranges)


def keep_range(
    connection: StoreConnection,
    run: Run,
    scan: Scan,
    page: SelectedPage,
    counts: Mapping[str, int],
    *,
    missing: int,
) -> None:
    """A page was merged: it is what is known about its stretch now. counts: its objects by disposition; missing: facts that it lacks.

    What is missing is gone only once the listing has come to its end. Another one must miss it, too, if this one does not.
    """
    after = scan.last_key or ""
    last = page.last_key
    if last is not None and any(counts.get(name) for name in _WAITING):
        doubt(connection, run, first=max(after, scan.prefix), last=last, prefix=scan.prefix)
    end = last if page.cursor else None
    if last is not None or end is None:
        QUERIES.replace_ranges(connection, **run.numbers, prefix=scan.prefix, after=after, until=end)
    if page.digest is None or not page.keys or not _keeps(run):
        return
    QUERIES.keep_range(
        connection,
        **run.numbers,
        prefix=scan.prefix,
        until=page.keys[-1],
        after=after,
        waiting=None if missing else _waiting(run, page, counts),
        listed=page.listed,
        due=page.due,
        digest=page.digest,
        rules=rules_of(run),
        told=Jsonb(ListedRange.told_of(page, counts)),
    )


def doubt(connection: StoreConnection, run: Run, *, first: str, last: str, prefix: str | None = None) -> None:
    """Ranges that touch these keys must be merged again. prefix: whose ranges are left alone."""
    QUERIES.doubt_ranges(connection, **run.numbers, prefix=prefix, first=first, last=last)


def rules_of(run: Run) -> bytes:
    """A digest of what decides about a listed object, besides the object and its facts."""
    since = run.options.modified_since
    rules = {
        "select": run.spec.select.model_dump(mode="json"),
        "modified_since": None if since is None else since.isoformat(),
        "retry_failed": run.spec.register_.retry_failed,
        "version": vod_migrate.__version__,
    }
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).digest()


def _keeps(run: Run) -> bool:
    """Whether later runs list the same: neither a date in the prefix, nor an option that narrows this run alone."""
    options = run.options
    return options.limit is None and options.prefixes is None and not run.spec.source.dated


def _waiting(run: Run, page: SelectedPage, counts: Mapping[str, int]) -> int | None:
    waiting = sum(counts.get(name, 0) for name in _WAITING)
    # What another run sends, or was approved apart, ends without a word to this one.
    if page.again or counts.get("queued_elsewhere") or (waiting and run.gate is Gate.APPROVING):
        return None
    return waiting
