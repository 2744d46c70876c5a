"""Scans: what is left to list, and how a listed page becomes work.

A page is merged only by whoever holds the run's role `discover`, and only onto a scan that stands exactly where that one thinks it stands: the
page's number, the nonce of the attempt that merged the page before, and the cursor. Anything else (another lister, a failover that forgot a
page, a scan that was closed) is a ScanMoved, after which the lister reads again where the scan stands.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from psycopg.types.json import Jsonb

from vod_migrate.media import MediaObject
from vod_migrate.results.listed_ranges import doubt, keep_range, still_settled
from vod_migrate.results.run import Gate, Run
from vod_migrate.results.scan import Leftover, ListedRange, Scan, ScanKind, SelectedPage, joined_samples, summed
from vod_migrate.results.session import QUERIES, Session, StoreConnection, storable
from vod_migrate.results.stop_code import SourceCode
from vod_migrate.results.work import Place, object_of

BLOCK_OBJECTS = 500
"""Objects that are queued, and so claimed, together: ten seconds of the full quota."""
PART_KEYS = 1000
_LAST_CHARACTER = "\U0010ffff"


class ScanMoved(Exception):
    """The scan does not stand where its lister thinks, or somebody else lists it now: read again where it stands."""


class Scans(Session):
    """What may happen to a scan."""

    def open_scans(self, run: Run) -> list[Scan]:
        """What is left to list, in order."""
        return self.scans(run, state="open")

    def scans(self, run: Run, *, state: str | None = None) -> list[Scan]:
        """The scans of a run, in order. state: only those in it."""
        rows = self._ask(QUERIES.scans_of_run, run_no=run.run_no, state=state)
        return [Scan.from_row(row) for row in rows]

    def scan(self, scan_id: int) -> Scan:
        """Where a scan stands."""
        return Scan.from_row(self._ask(QUERIES.get_scan, scan_id=scan_id))

    def retry_failed_scans(self, run: Run) -> None:
        """Reopens the scans that were given up, each at its cursor."""
        self._ask(QUERIES.retry_failed_scans, run_no=run.run_no)

    def merge_page(self, run: Run, place: Place, scan: Scan, page: SelectedPage) -> Scan:
        """One page of a listing becomes work, and the cursor moves, in one transaction. Returns the scan after it.

        Raises:
            ScanMoved
        """

        def work(connection: StoreConnection) -> Scan:
            QUERIES.hold_source(connection, source_id=run.source_id)
            queued_before = QUERIES.queued_by_scans(connection, run_no=run.run_no) if run.options.limit else 0
            counts: dict[str, int] = {}
            rest = list(page.selected)
            while rest:
                room = BLOCK_OBJECTS
                if run.options.limit is not None:
                    taken = counts.get("queued", 0) + counts.get("queued_again", 0)
                    room = min(room, run.options.limit - int(queued_before) - taken)
                    if room <= 0:
                        break
                part, rest = rest[:room], rest[room:]
                counts = summed(counts, self._merge(connection, run, place, scan, part))
            listed, broken = self._with_broken(connection, run, place, page)
            missing = 0
            if scan.whole:
                missing = QUERIES.note_missing(
                    connection,
                    **run.numbers,
                    scan_id=scan.scan_id,
                    first=scan.prefix,
                    after=scan.last_key or "",
                    until=page.last_key if page.cursor else scan.prefix + _LAST_CHARACTER,
                    listed=list(page.keys),
                    age=0.0 if page.fetched is None else max(0.0, time.monotonic() - page.fetched),
                )
            if not run.planning and scan.kind is ScanKind.PREFIX:
                keep_range(connection, run, scan, page, counts, missing=missing)
            elif not run.planning and page.keys:
                doubt(connection, run, first=min(page.keys), last=max(page.keys))
            return scan.after(listed, summed(counts, broken), over_limit=[found.key for found in rest])

        return self._advance(place, scan, work)

    def pass_ranges(self, run: Run, place: Place, scan: Scan, ranges: Sequence[ListedRange], *, cursor: str) -> Scan:
        """The cursor moves past ranges in which nothing has changed, and the scan takes over what they told. Returns the scan after it.

        Raises:
            ScanMoved: also where one of them is in doubt by now.
        """

        def work(connection: StoreConnection) -> Scan:
            if not still_settled(connection, run, scan, ranges):
                raise ScanMoved
            return scan.past(ranges, cursor)

        return self._advance(place, scan, work)

    def _advance(self, place: Place, scan: Scan, merge: Callable[[StoreConnection], Scan]) -> Scan:
        """Merges a page onto the scan as its lister knows it: compare and swap."""
        nonce = uuid.uuid4()

        def work(connection: StoreConnection) -> Scan:
            if not _holds(connection, place, scan):
                row = QUERIES.get_scan(connection, scan_id=scan.scan_id)
                if row is not None and row["page_nonce"] == nonce:
                    # This very page is merged; only the answer to its commit was lost.
                    stored = Scan.from_row(row)
                    return replace(stored, limited="limit" in stored.left_out and stored.left_out != scan.left_out)
                raise ScanMoved
            after = merge(connection)
            QUERIES.save_scan(
                connection,
                scan_id=scan.scan_id,
                cursor=after.cursor,
                last_key=after.last_key,
                page_no=after.page_no,
                page_nonce=nonce,
                listed=after.listed,
                counts=Jsonb(dict(after.counts)),
                left_out=Jsonb(dict(after.left_out)),
                samples=Jsonb({reason: list(keys) for reason, keys in after.samples.items()}),
                notes=Jsonb(after.notes.as_json()),
                selected=after.selected,
                fingerprint=after.fingerprint,
            )
            return replace(after, page_nonce=nonce)

        return self._do(work)

    def _merge(
        self,
        connection: StoreConnection,
        run: Run,
        place: Place,
        scan: Scan,
        found: Sequence[MediaObject],
        leftovers: Sequence[Leftover] = (),
    ) -> dict[str, int]:
        rows = QUERIES.merge_page(
            connection,
            **run.numbers,
            scan_id=scan.scan_id,
            worker_no=place.worker_no,
            retry_failed=run.spec.register_.retry_failed,
            once=not run.spec.source.listed and not leftovers,
            planning=run.planning,
            leftovers=bool(leftovers),
            keys=[one.key for one in found],
            sizes=[one.size for one in found],
            etags=[one.etag for one in found],
            modified=[one.last_modified for one in found],
            classes=[one.storage_class for one in found],
            attributes=[Jsonb(dict(one.row)) if one.row else None for one in found],
            moved=[one.same_as or None for one in found],
            modes=[one.mode for one in leftovers] or [run.mode.value] * len(found),
            attempts=[one.attempts for one in leftovers] or [0] * len(found),
            no_answers=[one.no_answers for one in leftovers] or [0] * len(found),
        )
        counts: dict[str, int] = {}
        for row in rows:
            counts[row["disposition"]] = counts.get(row["disposition"], 0) + int(row["objects"])
        return counts

    def _with_broken(
        self, connection: StoreConnection, run: Run, place: Place, page: SelectedPage
    ) -> tuple[SelectedPage, Mapping[str, int]]:
        """Records a page's broken rows; those that meet an object which is more than a broken row are left out instead."""
        if not page.broken:
            return page, {}
        keys = [row.key for row in page.broken]
        rows = list(
            QUERIES.merge_broken(
                connection,
                **run.numbers,
                worker_no=place.worker_no,
                planning=run.planning,
                keys=keys,
                codes=[row.code for row in page.broken],
                messages=[storable(row.message) for row in page.broken],
            )
        )
        # An earlier row, or an earlier run, may have queued such an object.
        QUERIES.renew_waiting(connection, source_id=run.source_id, keys=keys)
        failed = {row["code"]: row["failed"] for row in rows if row["failed"]}
        left_out = {row["code"]: row["spared"] for row in rows if row["spared"]}
        if again := len(page.broken) - sum(failed.values()) - sum(left_out.values()):
            left_out["duplicate"] = again
        samples = {row["code"]: [one.message for one in page.broken if one.code == row["code"]] for row in rows}
        page = replace(page, left_out=summed(page.left_out, left_out), samples=joined_samples(page.samples, samples))
        return page, failed

    def leftover_page(self, run: Run, scan: Scan, *, most: int = PART_KEYS) -> list[Leftover]:
        """The next objects that ended runs of the migration left, by key; [] after the last."""

        def work(connection: StoreConnection) -> list[Leftover]:
            queues = self._dead_queues(connection, run)
            rows = QUERIES.leftover_rows(
                connection, source_id=run.source_id, after=scan.cursor or "", queues=queues, most=most
            )
            return [
                Leftover(
                    object=object_of(row, bucket=run.bucket),
                    mode=row["mode"],
                    attempts=row["attempts"],
                    no_answers=row["no_answers"],
                )
                for row in rows
            ]

        return self._do(work)

    def _dead_queues(self, connection: StoreConnection, run: Run) -> list[int]:
        return [row["queue_no"] for row in QUERIES.dead_queues(connection, **run.numbers, mode=run.mode.value)]

    def merge_leftovers(
        self,
        run: Run,
        place: Place,
        scan: Scan,
        found: Sequence[Leftover],
        *,
        left_out: Mapping[str, Sequence[str]],
    ) -> Scan:
        """A page of leftovers goes over into the run's queue, but for what no longer fits. found: the whole page; left_out: keys by reason.

        While the run's gate is closed they stay with the ended runs, too: a plan takes nothing away.

        Raises:
            ScanMoved
        """
        dropped = {key for keys in left_out.values() for key in keys}

        def work(connection: StoreConnection) -> Scan:
            QUERIES.hold_source(connection, source_id=run.source_id)
            queues = self._dead_queues(connection, run)
            counts: dict[str, int] = {}
            kept = [one for one in found if one.object.key not in dropped]
            for start in range(0, len(kept), BLOCK_OBJECTS):
                part = kept[start : start + BLOCK_OBJECTS]
                merged = self._merge(connection, run, place, scan, [one.object for one in part], part)
                counts = summed(counts, merged)
            if run.gate is Gate.OPEN:
                QUERIES.drop_leftovers(
                    connection, source_id=run.source_id, keys=[one.object.key for one in found], queues=queues
                )
            page = SelectedPage(
                keys=tuple(one.object.key for one in found),
                listed=len(found),
                selected=tuple(one.object for one in kept),
                left_out={reason: len(keys) for reason, keys in left_out.items()},
                cursor=found[-1].object.key,
                samples=joined_samples({}, left_out),
            )
            return scan.after(page, counts, over_limit=())

        return self._advance(place, scan, work)

    def approve_page(self, run: Run, place: Place, scan: Scan, *, most: int = PART_KEYS) -> Scan | None:
        """Holds the next keys of an approved run against its plan: exactly what the plan holds stays. None after the last.

        Raises:
            ScanMoved
        """

        def work(connection: StoreConnection) -> Scan:
            rows = list(
                QUERIES.approve_part(
                    connection,
                    **run.numbers,
                    **QUERIES.planned_queue(connection, queue_no=run.queue_no),
                    leftover_queues=self._dead_queues(connection, run),
                    after=scan.cursor or "",
                    most=most,
                )
            )
            until = max((row["until"] for row in rows), default=scan.cursor)
            counts = {row["reason"]: int(row["objects"]) for row in rows}
            page = SelectedPage(
                keys=(),
                listed=sum(counts.values()),
                selected=(),
                left_out={},
                cursor=until,
                samples={row["reason"]: row["samples"] for row in rows if row["reason"] != "approved"},
            )
            return scan.after(page, counts, over_limit=())

        after = self._advance(place, scan, work)
        return after if after.listed > scan.listed else None

    def close_scan(
        self,
        run: Run,
        place: Place,
        scan: Scan,
        *,
        state: str,
        code: SourceCode | None = None,
        error: str | None = None,
    ) -> None:
        """Ends a scan. Only one that listed its whole prefix marks objects as gone; one of kind approval opens the gate.

        Raises:
            ScanMoved
        """

        def work(connection: StoreConnection) -> None:
            if not _holds(connection, place, scan):
                raise ScanMoved
            counts = dict(scan.counts)
            if state == "complete" and scan.whole:
                absent = QUERIES.mark_gone(
                    connection,
                    **run.numbers,
                    scan_id=scan.scan_id,
                    worker_no=place.worker_no,
                    planning=run.planning,
                )
                counts = summed(counts, {"gone": absent["gone"]})
                if absent["unsent"]:
                    counts = summed(counts, {"vanished": absent["unsent"]})
            if state == "complete" and scan.kind == "leftovers":
                queues = self._dead_queues(connection, run)
                QUERIES.drop_empty_blocks(connection, queues=queues)
                QUERIES.close_empty_queues(connection, queues=queues)
            if state == "complete" and scan.kind == "approval":
                QUERIES.drop_empty_blocks(connection, queues=[run.queue_no, *self._dead_queues(connection, run)])
                QUERIES.set_gate(connection, queue_no=run.queue_no, gate=Gate.OPEN.value)
            if state != "failed":
                QUERIES.forget_missing(connection, scan_id=scan.scan_id)
            QUERIES.end_scan(
                connection,
                scan_id=scan.scan_id,
                state=state,
                counts=Jsonb(counts),
                error_code=None if code is None else code.value,
                error=storable(error),
            )

        self._do(work)


def _holds(connection: StoreConnection, place: Place, scan: Scan) -> bool:
    """Whether the scan stands exactly where its lister knows it to, and is the lister's; under a lock."""
    held = QUERIES.hold_scan(
        connection,
        scan_id=scan.scan_id,
        page_no=scan.page_no,
        page_nonce=scan.page_nonce,
        cursor=scan.cursor,
        token=place.token,
    )
    return held is not None
