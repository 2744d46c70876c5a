"""The results store: one pool of connections, one method per thing that may happen to a run or a result.

Every method is one transaction and may be repeated: a lost connection is waited out for `patience` seconds, and a commit
whose answer was lost is simply done again. Times are the database's own, so that workers on different machines agree.
"""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosql
import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from vod_migrate.errors import StoreUnreachable
from vod_migrate.results.database import check_schema, plain_url, reason
from vod_migrate.results.rows import CallRecord, Counts, Listing, Run, Scan, Settlement, Work, joined_samples

__all__ = ["Presence", "Store"]

T = TypeVar("T")

LEASE_SECONDS = 90.0
"""How long a claim holds without being renewed; renewed every third of it."""

PACING_CONNECTIONS = 4

_QUERIES = aiosql.from_path(Path(__file__).parent / "queries.sql", "psycopg", mandatory_parameters=False)
_LAST_CHARACTER = "\U0010ffff"
_UNREACHABLE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)


class Store:
    """Results, runs, scans, claims, calls and quotas in one Postgres database."""

    def __init__(
        self,
        pool: ConnectionPool[psycopg.Connection],
        pacing: ConnectionPool[psycopg.Connection],
        url: str,
        patience: float,
    ) -> None:
        self._pool = pool
        self._pacing = pacing
        self.url = url
        self._patience = patience
        self.queries: Any = _QUERIES

    @classmethod
    def open(cls, url: str, *, connections: int = 8, patience: float = 120.0) -> Store:
        """Connects and checks the schema. patience: seconds to wait for a database that went away later.

        Raises:
            BadSetting, StoreUnreachable, StoreNotMigrated, StoreTooNew
        """
        plain = plain_url(url, origin="the results database URL")
        check_schema(plain)
        return cls(
            # Planned anew each time: a plan made while the tables were nearly empty would be kept while they grow.
            _pool(plain, connections, prepare=False),
            _pool(plain, PACING_CONNECTIONS, autocommit=True, configure=_without_flush),
            plain,
            patience,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back."""
        self._pool.close(timeout=2.0)
        self._pacing.close(timeout=2.0)

    def connection(self) -> AbstractContextManager[psycopg.Connection]:
        """A connection in a transaction of its own, for reading.

        Raises:
            StoreUnreachable
        """
        return _borrowed(self._pool)

    def _do(
        self, work: Callable[[psycopg.Connection], T], *, pool: ConnectionPool[psycopg.Connection] | None = None
    ) -> T:
        def attempt() -> T:
            with _borrowed(pool or self._pool) as connection:
                return work(connection)

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(self._patience),
            reraise=True,
        )(attempt)

    def _locked(self, name: str, *, shared: bool, wait: bool) -> psycopg.Connection | None:
        """An advisory lock on a connection of its own, so that it ends with the process; None: somebody has it."""
        kind = "_shared" if shared else ""
        function = f"pg_advisory_lock{kind}" if wait else f"pg_try_advisory_lock{kind}"

        def attempt() -> psycopg.Connection | None:
            try:
                connection = psycopg.connect(
                    self.url, autocommit=True, connect_timeout=10, application_name="vod-migrate"
                )
                row = connection.execute(
                    f"select {function}(hashtextextended(%s, 0))".encode(),
                    (name,),
                ).fetchone()
            except psycopg.OperationalError as error:
                raise StoreUnreachable(f"the results database cannot be reached: {reason(error)}") from error
            if wait or (row and row[0]):
                return connection
            connection.close()
            return None

        return self._patiently(attempt)

    # Runs

    def prepare_run(self, run: Run, *, spec_digest: str, prefixes: Sequence[str], whole: bool) -> Run:
        """Stores a run and its scans; returns the one that is stored.

        A run of the same origin that still works keeps its row: an Airflow retry goes on. One that has ended stays as it
        is, and a cleared DAG run begins a new one.
        """

        def work(connection: psycopg.Connection) -> str:
            execution = 1
            if run.dag_id is not None:
                before = _run_of_origin(connection, run)
                if before is not None and before[2] == "running":
                    return str(before[0])
                execution = 1 if before is None else before[1] + 1
            _QUERIES.insert_run(
                connection,
                run_id=run.run_id,
                account=run.account,
                region=run.region,
                migration=run.migration,
                bucket=run.bucket,
                mode=run.mode.value,
                options=Jsonb(run.options.stored()),
                spec=Jsonb(run.spec.resolved()),
                spec_digest=spec_digest,
                local_date=run.local_date,
                origin=run.origin,
                dag_id=run.dag_id,
                dag_run_id=run.dag_run_id,
                task_group=run.task_group,
                execution=execution,
            )
            stored = run.run_id if run.dag_id is None else str(_run_of_origin(connection, run)[0])
            if stored == run.run_id:
                for position, prefix in enumerate(prefixes):
                    _QUERIES.open_scan(connection, run_id=stored, prefix=prefix, position=position, whole=whole)
            list(_QUERIES.close_dead_runs(connection, account=run.account, migration=run.migration, run_id=stored))
            return stored

        return self.run(self._do(work))

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            KeyError: there is no such run.
        """
        row = self._do(lambda c: _QUERIES.get_run(c, run_id=run_id))
        if row is None:
            raise KeyError(run_id)
        return Run.from_row(row)

    def latest_run(self, account: str | None, migration: str) -> Run | None:
        """The newest run of a migration, of any account where None."""
        run_id = self._do(lambda c: _QUERIES.latest_run_id(c, account=account, migration=migration))
        return None if run_id is None else self.run(run_id)

    def runs(self, *, migration: str | None = None, most: int = 20) -> list[Run]:
        """The newest runs, newest first."""
        rows = self._do(lambda c: list(_QUERIES.list_run_ids(c, migration=migration, most=most)))
        return [self.run(row[0]) for row in rows]

    @contextmanager
    def presence(self, run_id: str) -> Iterator[Presence]:
        """While this is held the run counts as alive; it ends with the process, however that ends."""
        presence = Presence(lambda: self._locked(f"run:{run_id}", shared=True, wait=True))
        try:
            presence.keep()
            yield presence
        finally:
            presence.end()

    def show_life(self, run_id: str) -> None:
        """One of the run's tasks works."""
        self._do(lambda c: _QUERIES.show_life(c, run_id=run_id))

    @contextmanager
    def category_lock(self, account: str, path: str) -> Iterator[None]:
        """While this is held nobody else of the account makes the category of that path."""
        connection = self._locked(f"category:{account}/{path}", shared=False, wait=True)
        try:
            yield
        finally:
            if connection is not None:
                connection.close()

    def reopen_run(self, run_id: str) -> None:
        """A task of a finished run works again (cleared by itself)."""
        self._do(lambda c: _QUERIES.reopen_run(c, run_id=run_id))

    def stop_run(self, run_id: str, *, code: str, message: str) -> None:
        """Tells every worker of the run to stop; the first reason stays."""
        self._do(lambda c: _QUERIES.stop_run(c, run_id=run_id, code=code, message=message))

    def finish_run(self, run_id: str, *, state: str, summary: dict[str, Any]) -> None:
        """Writes the run's verdict."""
        self._do(lambda c: _QUERIES.finish_run(c, run_id=run_id, state=state, summary=Jsonb(summary)))

    def queue_failed(self, run: Run, *, prefixes: Sequence[str] | None) -> int:
        """Mode failed: failed results become this run's work. Returns how many."""
        return int(
            self._do(
                lambda c: _QUERIES.queue_failed(
                    c,
                    account=run.account,
                    migration=run.migration,
                    run_id=run.run_id,
                    prefixes=None if prefixes is None else list(prefixes),
                    since=run.options.modified_since,
                    most=run.options.limit or 2**62,
                )
            )
        )

    def adopt_pending(self, run: Run, *, most: int) -> int:
        """Takes over part of what earlier runs of this migration left pending. Returns how many; 0: nothing is left."""
        return int(
            self._do(
                lambda c: _QUERIES.adopt_pending(
                    c,
                    account=run.account,
                    migration=run.migration,
                    run_id=run.run_id,
                    mode=run.mode.value,
                    most=most,
                )
            )
        )

    # Scans

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

    @contextmanager
    def _trying(self, name: str) -> Iterator[bool]:
        connection = self._locked(name, shared=False, wait=False)
        try:
            yield connection is not None
        finally:
            if connection is not None:
                connection.close()

    def open_scans(self, run_id: str) -> list[Scan]:
        """What is left to list, in order."""
        return [Scan.from_row(row) for row in self._do(lambda c: list(_QUERIES.open_scans(c, run_id=run_id)))]

    def scan(self, scan_id: int) -> Scan | None:
        """Where an open scan stands; None when it is closed."""
        row = self._do(lambda c: _QUERIES.get_scan(c, scan_id=scan_id))
        return None if row is None else Scan.from_row(row)

    def retry_failed_scans(self, run_id: str) -> None:
        """Reopens the prefixes that could not be listed, each at its cursor."""
        self._do(lambda c: _QUERIES.retry_failed_scans(c, run_id=run_id))

    def merge_page(self, run: Run, scan: Scan, listing: Listing) -> Scan:
        """One page of a listing becomes results, and the cursor moves, in one transaction. Returns the scan after it."""

        def work(connection: psycopg.Connection) -> Scan:
            _QUERIES.lock_merge(connection, account=run.account, bucket=run.bucket)
            row = _QUERIES.get_scan(connection, scan_id=scan.scan_id)
            if row is not None and (stored := Scan.from_row(row)).pages > scan.pages:
                # This very page is merged; only the answer to its commit was lost.
                return replace(stored, limited="limit" in stored.left_out)
            queued_before = _QUERIES.queued_by_scans(connection, run_id=run.run_id) if run.options.limit else 0
            fates: dict[str, int] = {}
            rest = list(listing.selected)
            while rest:
                room = len(rest)
                if run.options.limit is not None:
                    room = run.options.limit - int(queued_before) - fates.get("queued", 0)
                    if room <= 0:
                        break
                part, rest = rest[:room], rest[room:]
                merged = _QUERIES.merge_page(
                    connection,
                    account=run.account,
                    bucket=run.bucket,
                    migration=run.migration,
                    run_id=run.run_id,
                    mode=run.mode.value,
                    retry_failed=run.spec.register_.retry_failed,
                    adopts=run.adopts,
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
                _QUERIES.note_missing(
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
            _QUERIES.save_scan(
                connection,
                scan_id=scan.scan_id,
                cursor=after.cursor,
                last_key=after.last_key,
                pages=after.pages,
                listed=after.listed,
                counts=Jsonb(after.counts),
                left_out=Jsonb(after.left_out),
                samples=Jsonb(after.samples),
            )
            return after

        return self._do(work)

    def _with_broken(self, connection: psycopg.Connection, run: Run, listing: Listing) -> Listing:
        """Records a page's broken rows; those that meet a result which is more than a broken row are left out instead."""
        if not listing.broken:
            return listing
        spared = _QUERIES.record_broken_rows(
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
            if _QUERIES.get_scan(connection, scan_id=scan.scan_id) is None:
                return
            if state == "complete" and scan.whole:
                gone = _QUERIES.mark_gone(connection, scan_id=scan.scan_id)
                counts = {**scan.counts, "gone": scan.counts.get("gone", 0) + gone}
                _QUERIES.save_scan(
                    connection,
                    scan_id=scan.scan_id,
                    cursor=scan.cursor,
                    last_key=scan.last_key,
                    pages=scan.pages,
                    listed=scan.listed,
                    counts=Jsonb(counts),
                    left_out=Jsonb(scan.left_out),
                    samples=Jsonb(scan.samples),
                )
            if state != "failed":
                _QUERIES.forget_missing(connection, scan_id=scan.scan_id)
            _QUERIES.close_scan(connection, scan_id=scan.scan_id, state=state, error_code=code, error=error)

        self._do(work)

    def scan_errors(self, run_id: str) -> list[tuple[str, str, str]]:
        """(prefix, code, message) of every prefix that could not be listed."""
        return self._do(lambda c: list(_QUERIES.scan_errors(c, run_id=run_id)))

    # Claims

    def take_place(self, run_id: str, *, slot: str, worker: str) -> uuid.UUID:
        """A worker enters the run and frees what a predecessor in the same slot still held. Returns its token."""
        token = uuid.uuid4()

        def work(connection: psycopg.Connection) -> None:
            _QUERIES.insert_claim(connection, token=token, run_id=run_id, slot=slot, worker=worker, lease=LEASE_SECONDS)
            _QUERIES.release_slot(connection, run_id=run_id, slot=slot, token=token)
            _QUERIES.forget_old_claims(connection)

        self._do(work)
        return token

    def renew(self, token: uuid.UUID) -> bool:
        """Renews a claim's lease; False when somebody took the worker's place."""
        return self._do(lambda c: _QUERIES.renew_claim(c, token=token, lease=LEASE_SECONDS)) is not None

    def leave(self, token: uuid.UUID, *, in_flight: Sequence[int] = ()) -> None:
        """Lets go of everything a worker holds; what is in flight is marked as of unknown outcome."""
        self._do(lambda c: _QUERIES.release_claim(c, token=token, in_flight=list(in_flight)))

    def release(self, token: uuid.UUID, result_ids: Sequence[int]) -> None:
        """Gives some results back unsent."""
        self._do(lambda c: _QUERIES.release_results(c, token=token, result_ids=list(result_ids)))

    def claim(self, run_id: str, token: uuid.UUID, *, most: int, alone: bool = False) -> list[Work]:
        """Up to `most` pending results, held until recorded, released, or the lease runs out."""
        rows = self._do(lambda c: list(_QUERIES.claim_results(c, run_id=run_id, token=token, most=most, alone=alone)))
        return sorted((Work.from_row(row) for row in rows), key=lambda work: work.result_id)

    def claim_last(self, run_id: str, token: uuid.UUID, *, most: int) -> list[Work]:
        """A few results from the far end of the backlog."""
        rows = self._do(lambda c: list(_QUERIES.claim_last(c, run_id=run_id, token=token, most=most)))
        return [Work.from_row(row) for row in rows]

    def release_lost(self, token: uuid.UUID) -> int:
        """Gives back what is held under a token by a worker that knows of nothing it holds. Returns how many."""
        return int(self._do(lambda c: _QUERIES.release_lost(c, token=token)))

    def work_left(self, run_id: str) -> tuple[int, bool, bool]:
        """(open scans, whether results are left to send, whether some are left to be tried alone)."""
        row = self._do(lambda c: _QUERIES.work_left(c, run_id=run_id))
        return int(row[0]), bool(row[1]), bool(row[2])

    # Recording

    def record_call(
        self, run_id: str, token: uuid.UUID, call: CallRecord, settlements: Sequence[Settlement] = ()
    ) -> int:
        """A call and what it meant for each object, in one commit. Returns how many objects it settled (others: late)."""
        settled = self._do(
            lambda c: _QUERIES.record_call(
                c,
                run_id=run_id,
                token=token,
                call_id=call.call_id,
                worker=call.worker,
                started_at=call.started_at,
                seconds=call.seconds,
                answer=call.answer,
                http_status=call.http_status,
                code=call.code,
                message=_storable(call.message),
                request_id=_storable(call.request_id),
                files=call.files,
                carried=list(call.carried) or None,
                result_ids=[s.result_id for s in settlements],
                outcomes=[s.outcome for s in settlements],
                states=[s.state for s in settlements],
                media_ids=[s.media_id for s in settlements],
                codes=[s.code for s in settlements],
                messages=[_storable(s.message) for s in settlements],
                descriptions=[None if s.description is None else Jsonb(s.description) for s in settlements],
            )
        )
        return int(settled)

    def record_failures(self, run_id: str, token: uuid.UUID, failures: Sequence[Settlement]) -> None:
        """Objects that cannot be sent as they are, or that were refused standing alone."""
        self._do(
            lambda c: _QUERIES.record_failures(
                c,
                run_id=run_id,
                token=token,
                result_ids=[failure.result_id for failure in failures],
                codes=[failure.code for failure in failures],
                messages=[_storable(failure.message) for failure in failures],
                request_ids=[failure.request_id for failure in failures],
            )
        )

    def mark_unsure(self, token: uuid.UUID, result_ids: Sequence[int]) -> None:
        """A call that failed on its way may have had an effect on these."""
        self._do(lambda c: _QUERIES.mark_unsure(c, token=token, result_ids=list(result_ids)))

    def settle_alone(self, run_id: str) -> None:
        """A run stopped by its threshold: what was refused once is failed."""
        self._do(lambda c: _QUERIES.settle_alone(c, run_id=run_id))

    # Numbers

    def outcome_counts(self, run: Run) -> dict[str, int]:
        """How many outcomes of each kind the run has since it began, or since a task of it was cleared."""
        if run.reopened_at == run.created_at:
            return dict(self._do(lambda c: list(_QUERIES.outcome_counts(c, run_id=run.run_id))))
        return dict(
            self._do(lambda c: list(_QUERIES.outcome_counts_since(c, run_id=run.run_id, since=run.reopened_at)))
        )

    def alone_left(self, run_id: str) -> int:
        """How many objects were refused once and wait for their second try."""
        return int(self._do(lambda c: _QUERIES.alone_left(c, run_id=run_id)))

    def broken_rows(self, run: Run) -> int:
        """How many of the failures in `outcome_counts` are rows of the run's manifest."""
        return int(self._do(lambda c: _QUERIES.broken_rows(c, run_id=run.run_id, since=run.reopened_at)))

    def any_registered(self, run_id: str) -> bool:
        """Whether any call with the run's very settings succeeded, in this run or before, so that they are right."""
        return bool(self._do(lambda c: _QUERIES.any_registered(c, run_id=run_id)))

    def counts(self, run_id: str) -> Counts:
        """The numbers of a run, from its outcomes and scans; what it had left, as it was when it ended."""

        def work(connection: psycopg.Connection) -> Counts:
            connection.execute("set transaction isolation level repeatable read")
            run = Run.from_row(_QUERIES.get_run(connection, run_id=run_id))
            return Counts.from_rows(
                outcomes=dict(_QUERIES.outcome_counts(connection, run_id=run_id)),
                calls=dict(_QUERIES.call_counts(connection, run_id=run_id)),
                pending=_left(connection, run),
                scans=list(_QUERIES.scan_counts(connection, run_id=run_id)),
            )

        return self._do(work)

    # Quota

    def keep_quota(self, account: str, api: str, rate: float) -> float:
        """Makes the account's row if there is none. Returns the rate that it says."""
        stored = self._do(lambda c: _QUERIES.keep_quota(c, account=account, api=api, rate=rate))
        return rate if stored is None else float(stored[0])

    def set_quota(self, account: str, api: str, rate: float) -> None:
        """Changes the account's pace, for everybody, at once."""
        self._do(lambda c: _QUERIES.set_quota(c, account=account, api=api, rate=rate))

    def keep_cap(self, account: str, api: str, scope: str, rate: float) -> None:
        """A pace of a migration's or a run's own, passed before the account's."""
        self._do(lambda c: _QUERIES.keep_cap(c, account=account, api=api, scope=scope, rate=rate))

    def drop_cap(self, account: str, api: str, scope: str) -> None:
        """A run's own pace ends with it."""
        self._do(lambda c: _QUERIES.drop_cap(c, account=account, api=api, scope=scope))

    def quotas(self) -> list[tuple[str, str, str, float, float]]:
        """(account, api, scope, rate, share in force now) of every pace."""
        return self._do(lambda c: list(_QUERIES.list_quotas(c)))

    def reserve_slot(self, account: str, api: str, scope: str, *, ahead: float) -> tuple[float, float] | None:
        """(the slot on this process's monotonic clock, seconds between slots); None when too far ahead."""

        def work(connection: psycopg.Connection) -> tuple[float, float] | None:
            row = _QUERIES.reserve_slot(connection, account=account, api=api, scope=scope, ahead=ahead)
            # Read off here, where the answer has just come: waiting for anything else would make the slot look later.
            now = time.monotonic()
            if row is not None:
                return now + float(row[0]) - float(row[1]), float(row[1])
            if not _QUERIES.has_pace(connection, account=account, api=api, scope=scope):
                raise KeyError(scope)
            return None

        return self._do(work, pool=self._pacing)

    def slow_down(self, account: str, api: str, *, cut: float, lowest: float, pause: float) -> None:
        """The service throttled a call: the account's row slows down for everyone."""
        with suppress(StoreUnreachable):
            self._do(
                lambda c: _QUERIES.slow_down(c, account=account, api=api, cut=cut, lowest=lowest, pause=pause),
                pool=self._pacing,
            )

    def now(self) -> dt.datetime:
        """The database's clock."""
        row = self._do(lambda c: c.execute("select clock_timestamp()").fetchone())
        assert row is not None  # noqa: S101 - a constant query
        return row[0]  # type: ignore[no-any-return]


class Presence:
    """A shared lock that says that somebody works on a run; a lost connection takes it along, so it is looked after."""

    def __init__(self, lock: Callable[[], psycopg.Connection | None]) -> None:
        self._lock = lock
        self._connection: psycopg.Connection | None = None

    def keep(self) -> None:
        """Takes the lock, or takes it again when its connection is gone.

        Raises:
            StoreUnreachable
        """
        try:
            if self._connection is not None:
                self._connection.execute("select 1")
                return
        except psycopg.OperationalError:
            self.end()
        self._connection = self._lock()

    def end(self) -> None:
        """Gives the lock back."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _run_of_origin(connection: psycopg.Connection, run: Run) -> Any:
    return _QUERIES.run_of_origin(connection, dag_id=run.dag_id, dag_run_id=run.dag_run_id, task_group=run.task_group)


def _left(connection: psycopg.Connection, run: Run) -> tuple[int, int]:
    if run.summary is not None:
        # Later runs have gone on with it since; this run's report must not change for that.
        counts = run.summary["counts"]
        return counts["pending"], counts["unknown"]
    own = _QUERIES.pending_counts(connection, run_id=run.run_id)
    if not run.adopts:
        return own[0], own[1]
    waiting = _QUERIES.waiting_counts(
        connection, account=run.account, migration=run.migration, run_id=run.run_id, mode=run.mode.value
    )
    return own[0] + int(waiting[0]), own[1] + int(waiting[1])


def _pool(url: str, connections: int, **options: Any) -> ConnectionPool[psycopg.Connection]:
    autocommit = options.pop("autocommit", False)
    prepare = options.pop("prepare", True)
    return ConnectionPool(
        url,
        min_size=1,
        max_size=connections,
        timeout=10.0,
        kwargs={
            "connect_timeout": 10,
            "application_name": "vod-migrate",
            "autocommit": autocommit,
            "prepare_threshold": 5 if prepare else None,
        },
        check=ConnectionPool.check_connection,
        open=True,
        **options,
    )


def _without_flush(connection: psycopg.Connection) -> None:
    # A quota row that forgets its last moments in a crash costs nothing; waiting for the disk 50 times a second would.
    connection.execute("set synchronous_commit to off")


@contextmanager
def _borrowed(pool: ConnectionPool[psycopg.Connection]) -> Iterator[psycopg.Connection]:
    try:
        with pool.connection() as connection:
            yield connection
    except _UNREACHABLE as error:
        raise StoreUnreachable(f"the results database cannot be reached: {reason(error)}") from error


def _storable(text: str | None) -> str | None:
    # Postgres has no NUL in text; a service message is foreign input.
    return None if text is None else text.replace("\x00", "\ufffd")
