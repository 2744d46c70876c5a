"""Scans: what is left to list, and how a listed page becomes results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg.types.json import Jsonb

from vod_migrate.results.run import Run
from vod_migrate.results.scan import Scan, SelectedPage, joined_samples
from vod_migrate.results.session import QUERIES, Session

_LAST_CHARACTER = "\U0010ffff"


class Scans(Session):
    """What may happen to the listing of a prefix."""

    @contextmanager
    def scan_lock(self, run: Run, scan: Scan) -> Iterator[bool]:
        """Scans of one (bucket, prefix) exclude each other; False where another one runs."""
        with self._trying(f"scan:{run.account}/{run.bucket}/{scan.prefix}") as held:
            yield held

    @contextmanager
    def discovery_lock(self, run_id: str) -> Iterator[bool]:
        """One discoverer a run; False where another one works."""
        with self._trying(f"discover:{run_id}") as held:
            yield held

    def open_scans(self, run_id: str) -> list[Scan]:
        """What is left to list, in order."""
        return [Scan.from_row(row) for row in self._do(lambda c: list(QUERIES.open_scans(c, run_id=run_id)))]

    def scan(self, scan_id: int) -> Scan | None:
        """Where an open scan stands; None when it is closed."""
        row = self._do(lambda c: QUERIES.get_scan(c, scan_id=scan_id))
        return None if row is None else Scan.from_row(row)

    def retry_failed_scans(self, run_id: str) -> None:
        """Reopens the prefixes that could not be listed, each at its cursor."""
        self._do(lambda c: QUERIES.retry_failed_scans(c, run_id=run_id))

    def merge_page(self, run: Run, scan: Scan, listing: SelectedPage) -> Scan:
        """One page of a listing becomes results, and the cursor moves, in one transaction. Returns the scan after it."""

        def work(connection: psycopg.Connection) -> Scan:
            QUERIES.lock_merge(connection, account=run.account, bucket=run.bucket)
            row = QUERIES.get_scan(connection, scan_id=scan.scan_id)
            if row is not None and (stored := Scan.from_row(row)).pages > scan.pages:
                # This very page is merged; only the answer to its commit was lost.
                return replace(stored, limited="limit" in stored.left_out)
            queued_before = QUERIES.queued_by_scans(connection, run_id=run.run_id) if run.options.limit else 0
            fates: dict[str, int] = {}
            rest = list(listing.selected)
            while rest:
                room = len(rest)
                if run.options.limit is not None:
                    room = run.options.limit - int(queued_before) - fates.get("queued", 0)
                    if room <= 0:
                        break
                part, rest = rest[:room], rest[room:]
                merged = QUERIES.merge_page(
                    connection,
                    account=run.account,
                    bucket=run.bucket,
                    migration=run.migration,
                    run_id=run.run_id,
                    mode=run.mode.value,
                    retry_failed=run.spec.register_.retry_failed,
                    # A bound run takes over from few runs, so what it finds listed and left by any it queues by itself.
                    adopts=run.adopts and not run.bound,
                    once=not run.spec.source.listed,
                    keys=[found.key for found in part],
                    sizes=[found.size for found in part],
                    etags=[found.etag for found in part],
                    modified=[found.last_modified for found in part],
                    classes=[found.storage_class for found in part],
                    attributes=[Jsonb(dict(found.row)) if found.row else None for found in part],
                )
                for fate, count in merged:
                    fates[fate] = fates.get(fate, 0) + count
            counted = self._with_broken(connection, run, listing)
            if scan.whole:
                QUERIES.note_missing(
                    connection,
                    scan_id=scan.scan_id,
                    account=run.account,
                    bucket=run.bucket,
                    migration=run.migration,
                    first=scan.prefix,
                    after=scan.last_key or "",
                    until=listing.last_key if listing.cursor else scan.prefix + _LAST_CHARACTER,
                    listed=list(listing.keys),
                )
            after = scan.after(counted, fates, over_limit=[found.key for found in rest])
            QUERIES.save_scan(
                connection,
                scan_id=scan.scan_id,
                cursor=after.cursor,
                last_key=after.last_key,
                pages=after.pages,
                listed=after.listed,
                counts=Jsonb(after.counts),
                left_out=Jsonb(after.left_out),
                samples=Jsonb(after.samples),
                selected=after.selected,
                fingerprint=after.fingerprint,
            )
            return after

        return self._do(work)

    def _with_broken(self, connection: psycopg.Connection, run: Run, listing: SelectedPage) -> SelectedPage:
        """Records a page's broken rows; those that meet a result which is more than a broken row are left out instead."""
        if not listing.broken:
            return listing
        spared = QUERIES.record_broken_rows(
            connection,
            account=run.account,
            bucket=run.bucket,
            migration=run.migration,
            run_id=run.run_id,
            keys=[row.key for row in listing.broken],
            codes=[row.code for row in listing.broken],
            messages=[row.message for row in listing.broken],
        )
        left_out = dict(listing.left_out)
        samples: dict[str, list[str]] = {}
        for code, count in spared:
            left_out[code] = left_out.get(code, 0) + count
            samples[code] = [row.message for row in listing.broken if row.code == code]
        return replace(listing, left_out=left_out, samples=joined_samples(listing.samples, samples))

    def close_scan(self, scan: Scan, *, state: str, code: str | None = None, error: str | None = None) -> None:
        """Ends a scan. Only one that listed its whole prefix marks results as gone."""

        def work(connection: psycopg.Connection) -> None:
            if QUERIES.get_scan(connection, scan_id=scan.scan_id) is None:
                return
            if state == "complete" and scan.whole:
                gone = QUERIES.mark_gone(connection, scan_id=scan.scan_id)
                counts = {**scan.counts, "gone": scan.counts.get("gone", 0) + gone}
                QUERIES.save_scan(
                    connection,
                    scan_id=scan.scan_id,
                    cursor=scan.cursor,
                    last_key=scan.last_key,
                    pages=scan.pages,
                    listed=scan.listed,
                    counts=Jsonb(counts),
                    left_out=Jsonb(scan.left_out),
                    samples=Jsonb(scan.samples),
                    selected=scan.selected,
                    fingerprint=scan.fingerprint,
                )
            if state != "failed":
                QUERIES.forget_missing(connection, scan_id=scan.scan_id)
            QUERIES.close_scan(connection, scan_id=scan.scan_id, state=state, error_code=code, error=error)

        self._do(work)

    def scan_errors(self, run_id: str) -> list[tuple[str, str, str]]:
        """(prefix, code, message) of every prefix that could not be listed."""
        return self._do(lambda c: list(QUERIES.scan_errors(c, run_id=run_id)))
