"""Plans: what a run would meet in the results, read without changing anything; and the plans that were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from vod_migrate.results.run import Run
from vod_migrate.results.runs import Runs
from vod_migrate.results.scan import Scan, SelectedPage
from vod_migrate.results.session import QUERIES
from vod_migrate.results.work import Work

PART = 1000
_LAST_CHARACTER = "\U0010ffff"


class Plans(Runs):
    """What may happen to a plan. What only reads does so in transactions that may do nothing else."""

    def planned_fates(self, run: Run, found: Sequence[Any]) -> list[tuple[str, str]]:
        """(fate, state of its result or '') of each object, as `merge_page` would have it."""

        def work(connection: psycopg.Connection) -> list[tuple[str, str]]:
            connection.execute("set transaction read only")
            rows = QUERIES.planned_fates(
                connection,
                keys=[one.key for one in found],
                etags=[one.etag for one in found],
                account=run.account,
                bucket=run.bucket,
                migration=run.migration,
                run_id=run.run_id,
                mode=run.mode.value,
                retry_failed=run.spec.register_.retry_failed,
                adopts=run.adopts,
            )
            # Counted as merge_page counts it: what comes back from having gone is registered as it was.
            return [("unchanged" if fate == "returned" else str(fate), str(state)) for fate, state in rows]

        return self._do(work)

    def planned_missing(self, run: Run, scan: Scan, listing: SelectedPage) -> int:
        """How many results of a listed stretch the listing does not name. scan: before the page."""
        return int(
            self._do(
                lambda c: QUERIES.planned_missing(
                    c,
                    account=run.account,
                    bucket=run.bucket,
                    migration=run.migration,
                    first=scan.prefix,
                    after=scan.last_key or "",
                    until=listing.last_key if listing.cursor else scan.prefix + _LAST_CHARACTER,
                    listed=list(listing.keys),
                )
            )
        )

    def spared_rows(self, run: Run, keys: Sequence[str]) -> set[str]:
        """Keys of broken rows that meet a result which is more than a broken row."""
        rows = self._do(
            lambda c: list(
                QUERIES.spared_rows(c, account=run.account, bucket=run.bucket, migration=run.migration, keys=list(keys))
            )
        )
        return {row[0] for row in rows}

    def idle_runs(self, run: Run) -> list[str]:
        """Earlier runs whose leftovers this one would go on with."""
        rows = self._do(
            lambda c: list(
                QUERIES.idle_runs(
                    c, account=run.account, migration=run.migration, run_id=run.run_id, mode=run.mode.value
                )
            )
        )
        return [row[0] for row in rows]

    def left_count(self, runs: Sequence[str]) -> int:
        """How much some runs left pending."""
        return int(self._do(lambda c: QUERIES.left_count(c, runs=list(runs))))

    def left_keys(self, run: Run, runs: Sequence[str], keys: Sequence[str]) -> list[str]:
        """Those of some keys that some runs left pending."""
        rows = self._do(
            lambda c: list(
                QUERIES.left_keys(c, account=run.account, bucket=run.bucket, keys=list(keys), runs=list(runs))
            )
        )
        return [row[0] for row in rows]

    def left_by(self, run_id: str, *, alone: bool) -> Iterator[list[Work]]:
        """What one run left pending, in parts. alone: what VOD refused once and is to be tried by itself."""
        after = 0
        while part := self._left_part(run_id, alone, after):
            yield part
            after = part[-1].result_id

    def _left_part(self, run_id: str, alone: bool, after: int) -> list[Work]:
        rows = self._do(lambda c: list(QUERIES.left_by(c, run_id=run_id, alone=alone, after=after, most=PART)))
        return [Work.from_row(row) for row in rows]

    def failed_parts(self, run: Run, *, prefixes: Sequence[str] | None) -> Iterator[list[Work]]:
        """What mode failed would queue, in parts."""
        left, after = run.options.limit or 2**62, 0
        while left and (part := self._failed_part(run, prefixes, after, min(PART, left))):
            yield part
            left, after = left - len(part), part[-1].result_id

    def _failed_part(self, run: Run, prefixes: Sequence[str] | None, after: int, most: int) -> list[Work]:
        rows = self._do(
            lambda c: list(
                QUERIES.failed_part(
                    c,
                    account=run.account,
                    migration=run.migration,
                    codes=None if run.options.codes is None else list(run.options.codes),
                    prefixes=None if prefixes is None else list(prefixes),
                    since=run.options.modified_since,
                    after=after,
                    most=most,
                )
            )
        )
        return [Work.from_row(row) for row in rows]

    def scans_to_plan(self, run_id: str) -> list[Scan]:
        """The scans of a run, each at its beginning."""
        rows = self._do(lambda c: list(QUERIES.scans_to_plan(c, run_id=run_id)))
        return [Scan(scan_id=row[0], prefix=row[1], whole=row[2]) for row in rows]

    def save_plan(
        self,
        run: Run,
        scans: Sequence[Scan],
        *,
        spec_digest: str,
        digest: str,
        body: Mapping[str, Any],
        summary: Mapping[str, Any],
    ) -> None:
        """A plan, the run that made it (begun here where it is not yet there) and what its scans found, in one transaction."""

        def work(connection: psycopg.Connection) -> None:
            self.insert(connection, run, spec_digest=spec_digest, execution=1)
            for position, scan in enumerate(scans):
                QUERIES.save_planned_scan(
                    connection,
                    run_id=run.run_id,
                    prefix=scan.prefix,
                    position=position,
                    whole=scan.whole,
                    state="limited" if scan.limited else "complete",
                    pages=scan.pages,
                    listed=scan.listed,
                    counts=Jsonb(dict(scan.counts)),
                    left_out=Jsonb(dict(scan.left_out)),
                    samples=Jsonb({reason: list(keys) for reason, keys in scan.samples.items()}),
                    selected=scan.selected,
                    fingerprint=scan.fingerprint,
                )
            QUERIES.save_plan(
                connection,
                run_id=run.run_id,
                account=run.account,
                migration=run.migration,
                digest=digest,
                body=Jsonb(dict(body)),
            )
            QUERIES.finish_run(connection, run_id=run.run_id, state="planned", summary=Jsonb(dict(summary)))

        self._do(work)

    def plan_of(self, run_id: str) -> dict[str, Any] | None:
        """The body of the plan that a run made, None where it made none."""
        body: dict[str, Any] | None = self._do(lambda c: QUERIES.get_plan(c, run_id=run_id))
        return body

    def plans_of_digest(self, beginning: str, *, most: int = 3) -> list[dict[str, Any]]:
        """The plans whose digest begins so, one of each digest, newest first."""
        return [row[0] for row in self._do(lambda c: list(QUERIES.plans_of_digest(c, beginning=beginning, most=most)))]

    def approve_plan(self, run: Run, decision: Mapping[str, Any], *, prefixes: Sequence[str] | None) -> None:
        """The run that made the plan begins to work on it, once: with scans of its own, or with what failed.

        prefixes: what mode failed is narrowed to.
        """

        def work(connection: psycopg.Connection) -> None:
            if QUERIES.decide_plan(connection, run_id=run.run_id, decision=Jsonb(dict(decision))) is None:
                return
            QUERIES.reopen_run(connection, run_id=run.run_id)
            if run.mode.value == "failed":
                QUERIES.queue_failed(
                    connection,
                    account=run.account,
                    migration=run.migration,
                    run_id=run.run_id,
                    prefixes=None if prefixes is None else list(prefixes),
                    codes=None if run.options.codes is None else list(run.options.codes),
                    since=run.options.modified_since,
                    most=run.options.limit or 2**62,
                )
            else:
                QUERIES.begin_scans_anew(connection, run_id=run.run_id)

        self._do(work)

    def reject_plan(self, run_id: str, decision: Mapping[str, Any], *, message: str) -> None:
        """Nothing of the plan is sent; its run says why."""

        def work(connection: psycopg.Connection) -> None:
            QUERIES.decide_plan(connection, run_id=run_id, decision=Jsonb(dict(decision)))
            QUERIES.say_rejected(connection, run_id=run_id, message=message)

        self._do(work)

    def scan_prints(self, run_id: str) -> list[tuple[str, str, int, str, str | None]]:
        """(prefix, state, objects selected, their fingerprint, error) of each scan."""
        return self._do(lambda c: list(QUERIES.scan_prints(c, run_id=run_id)))
