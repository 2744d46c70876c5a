"""How the results store speaks to its database: one transaction at a time, and with patience."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosql
import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from vod_migrate.errors import StoreFull, StoreUnreachable
from vod_migrate.results.database import check_schema, plain_url, reason

T = TypeVar("T")

PACING_CONNECTIONS = 4

QUERIES = aiosql.from_path(Path(__file__).parent / "queries", "psycopg", mandatory_parameters=False)
_UNREACHABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    PoolTimeout,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby, for as long as a failover takes
)
_FULL = psycopg.errors.DiskFull


class Session:
    """One Postgres database: pools for working and for pacing, advisory locks, patience with a lost connection."""

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
        self.queries: Any = QUERIES

    @classmethod
    def open(cls, url: str, *, connections: int = 8, patience: float = 120.0, wait: float = 10.0) -> Self:
        """Connects and checks the schema.

        patience: seconds to wait for a database that went away later; wait: seconds for each connection of the pool.

        Raises:
            BadSetting, StoreUnreachable, StoreNotMigrated, StoreTooNew
        """
        plain = plain_url(url, origin="the results database URL")
        check_schema(plain)
        return cls(
            # Planned anew each time: a plan made while the tables were nearly empty would be kept while they grow.
            _pool(plain, connections, prepare=False, timeout=wait),
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
        self,
        work: Callable[[psycopg.Connection], T],
        *,
        pool: ConnectionPool[psycopg.Connection] | None = None,
        patience: float | None = None,
    ) -> T:
        def attempt() -> T:
            with _borrowed(pool or self._pool, patience) as connection:
                return work(connection)

        return self._patiently(attempt, patience)

    def _patiently(self, attempt: Callable[[], T], patience: float | None = None) -> T:
        return Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(self._patience if patience is None else patience),
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

    @contextmanager
    def _trying(self, name: str) -> Iterator[bool]:
        connection = self._locked(name, shared=False, wait=False)
        try:
            yield connection is not None
        finally:
            if connection is not None:
                connection.close()

    def now(self) -> dt.datetime:
        """The database's clock."""
        row = self._do(lambda c: c.execute("select clock_timestamp()").fetchone())
        assert row is not None  # noqa: S101 - a constant query
        return row[0]  # type: ignore[no-any-return]


class Presence:
    """A shared lock that says that somebody works on a run; a lost connection takes it along, so it is looked after."""

    def __init__(self, lock: Callable[[], psycopg.Connection | None]) -> None:
        self._lock = lock
        self._next = 0.0
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

    def keep_now_and_then(self, seconds: float) -> None:
        """The same, at most so often.

        Raises:
            StoreUnreachable
        """
        now = time.monotonic()
        if now >= self._next:
            self._next = now + seconds
            self.keep()

    def end(self) -> None:
        """Gives the lock back."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _pool(url: str, connections: int, **options: Any) -> ConnectionPool[psycopg.Connection]:
    autocommit = options.pop("autocommit", False)
    prepare = options.pop("prepare", True)
    return ConnectionPool(
        url,
        min_size=1,
        max_size=connections,
        timeout=options.pop("timeout", 10.0),
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
def _borrowed(pool: ConnectionPool[psycopg.Connection], patience: float | None = None) -> Iterator[psycopg.Connection]:
    try:
        with pool.connection(timeout=None if patience is None else max(1.0, patience)) as connection:
            yield connection
    except _FULL as error:
        raise StoreFull(
            f"the results database has no room ({reason(error)}): free some; until then nothing is sent, and nothing is lost"
        ) from error
    except _UNREACHABLE as error:
        raise StoreUnreachable(f"the results database cannot be reached: {reason(error)}") from error


def storable(text: str | None) -> str | None:
    """Text as Postgres takes it."""
    # Postgres has no NUL in text; a service message is foreign input.
    return None if text is None else text.replace("\x00", "\ufffd")
