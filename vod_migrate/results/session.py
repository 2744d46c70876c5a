"""How the results store speaks to its database: one transaction at a time, with patience, and nothing that a transaction pooler cannot give."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosql
import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from vod_migrate.errors import StoreUnreachable
from vod_migrate.results.address import read_address
from vod_migrate.results.database import adjust, check_schema, settings
from vod_migrate.results.driver_errors import out_of_step, told
from vod_migrate.shutdown import seconds_from

T = TypeVar("T")
StoreConnection = psycopg.Connection[DictRow]

QUERIES: Any = aiosql.from_path(Path(__file__).parent / "queries", "psycopg", mandatory_parameters=False)

LEASE_SECONDS = 90.0
"""How long a worker counts as alive without renewing its lease; renewed every third of it."""
LEASE_VARIABLE = "VOD_MIGRATE_LEASE_SECONDS"
RUN_CONNECTIONS = 12
"""What a run works on, beside RATE_CONNECTIONS."""
RATE_CONNECTIONS = 4
_MOST_COLLISIONS = 20
_ROWS_AT_ONCE = 2_000
_COLLISIONS = (
    psycopg.errors.ExclusionViolation,  # another call brought the same MediaId in the same moment: now it can be seen
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)


class Session:
    """One Postgres database: a pool for working and one for rates, and patience with a lost connection. lease: see LEASE_SECONDS."""

    def __init__(
        self,
        pool: ConnectionPool[StoreConnection],
        rate_pool: ConnectionPool[StoreConnection],
        url: str,
        *,
        patience: float,
        lease: float,
    ) -> None:
        self._pool = pool
        self._rate_pool = rate_pool
        self.url = url
        self._patience = patience
        self.lease = lease

    @classmethod
    def open(
        cls,
        url: str,
        *,
        connections: int = 8,
        patience: float = 120.0,
        wait: float = 10.0,
        lease: float | None = None,
        checked: bool = False,
    ) -> Self:
        """Connects and checks the schema.

        patience: seconds to wait for a database that went away later; wait: seconds for each connection of the pool; lease: seconds,
        None for VOD_MIGRATE_LEASE_SECONDS or the default; checked: whether each connection is tried before it is lent, and a dead one
        replaced, for whoever cannot wait and try again.

        Raises:
            BadSetting, StoreUnreachable, StoreDenied, StoreUnusable, StoreNotMigrated, StoreTooNew
        """
        plain = read_address(url, origin="the address of the results database")
        check_schema(plain)
        refusal = LEASE_VARIABLE + " must be a number of seconds from 1 to 3600, not {given!r}"
        return cls(
            _pool(plain, connections, timeout=wait, checked=checked),
            _pool(plain, RATE_CONNECTIONS, autocommit=True),
            plain,
            patience=patience,
            lease=lease or seconds_from(LEASE_VARIABLE, LEASE_SECONDS, most=3600, refusal=refusal),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives the connections back."""
        self._pool.close(timeout=2.0)
        self._rate_pool.close(timeout=2.0)

    def connection(self) -> AbstractContextManager[StoreConnection]:
        """A connection in a transaction of its own, for reading; rows are dicts.

        Raises:
            StoreUnreachable
        """
        return _borrowed(self._pool)

    def _do(
        self,
        work: Callable[[StoreConnection], T],
        *,
        pool: ConnectionPool[StoreConnection] | None = None,
        patience: float | None = None,
    ) -> T:
        pool = pool or self._pool

        def attempt() -> T:
            for _ in range(_MOST_COLLISIONS):
                with suppress(*_COLLISIONS), _borrowed(pool, patience) as connection:
                    return work(connection)
            with _borrowed(pool, patience) as connection:
                return work(connection)

        def renew_connections(_: RetryCallState) -> None:
            # After a restart of the database each connection of the pool is dead, and each would cost a try.
            with suppress(psycopg.Error, PoolTimeout):
                pool.check()

        return Retrying(
            retry=retry_if_exception_type(StoreUnreachable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(self._patience if patience is None else patience),
            before_sleep=renew_connections,
            reraise=True,
        )(attempt)

    def _ask(
        self,
        query: Any,
        *,
        pool: ConnectionPool[StoreConnection] | None = None,
        patience: float | None = None,
        **values: Any,
    ) -> Any:
        """One named query in a transaction of its own: what it gives; a list where that is rows. Values that it does not name are ignored."""

        def work(connection: StoreConnection) -> Any:
            answer = query(connection, **values)
            return list(answer) if isinstance(answer, Generator) else answer

        return self._do(work, pool=pool, patience=patience)

    def _walk(self, query: Any, begin: Mapping[str, str], **values: Any) -> Iterator[dict[str, Any]]:
        """The rows of a named query in its order, a part at a time, each in a transaction of its own.

        begin: what the first row comes after, by column; the query calls it `:after_COLUMN`, and its limit `:most`.
        """
        last = begin
        while True:
            after: dict[str, Any] = {f"after_{name}": last[name] for name in begin}
            rows = self._ask(query, **values, **after, most=_ROWS_AT_ONCE)
            yield from rows
            if len(rows) < _ROWS_AT_ONCE:
                return
            last = rows[-1]

    def now(self) -> dt.datetime:
        """The database's clock."""
        row = self._do(lambda c: c.execute("select clock_timestamp() as now").fetchone())
        assert row is not None  # noqa: S101 - a constant query
        return row["now"]  # type: ignore[no-any-return]


def _pool(
    url: str, connections: int, *, autocommit: bool = False, timeout: float = 10.0, checked: bool = False
) -> ConnectionPool[StoreConnection]:
    return ConnectionPool(
        url,
        connection_class=StoreConnection,
        min_size=1,
        max_size=connections,
        timeout=timeout,
        # Its tries come ever less often: a database that was away for minutes would be noticed minutes late.
        reconnect_timeout=timeout,
        kwargs={**settings(url), "autocommit": autocommit, "row_factory": dict_row},
        configure=adjust,
        check=ConnectionPool.check_connection if checked else None,
        open=True,
    )


@contextmanager
def _borrowed(pool: ConnectionPool[StoreConnection], patience: float | None = None) -> Iterator[StoreConnection]:
    with told(), pool.connection(timeout=None if patience is None else max(1.0, patience)) as connection:
        try:
            yield connection
        except psycopg.InternalError as error:
            if out_of_step(error):
                connection.close()
            raise


def storable(text: str | None) -> str | None:
    """Text as Postgres takes it."""
    # Postgres has no NUL in text; a service message is foreign input.
    return None if text is None else text.replace("\x00", "\ufffd")
