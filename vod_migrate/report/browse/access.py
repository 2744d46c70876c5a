"""Who may read what on the pages inside Airflow, and the connection they read it on.

`Readable` is the whole permission: the ids of the DAGs whose runs somebody may read, or None for an administrator, who also sees
runs from the command line. Every function of `browse` takes it by name, without a default, and every query filters by it: `Reader`
gives it to each.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import aiosql

from vod_migrate.results.session import StoreConnection
from vod_migrate.results.store import Store

QUERIES: Any = aiosql.from_path(Path(__file__).parent / "queries.sql", "psycopg", mandatory_parameters=False)

Readable: TypeAlias = frozenset[str] | None
"""DAG ids whose runs may be read; None: everything."""

LONGEST_READ_SECONDS = 10
"""A page that takes longer has gone wrong, and must not keep the database busy for somebody who has left."""


@contextmanager
def read_only(store: Store) -> Iterator[StoreConnection]:
    """A connection on which nothing can be written, whose queries agree with each other and end."""
    with store.connection() as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        connection.execute(f"set local statement_timeout = '{LONGEST_READ_SECONDS}s'".encode())
        # Every page has its indexes and looks up what it shows, row by row. While a table grows faster than its statistics, the
        # planner may believe that reading all of it is better.
        connection.execute(
            "set local enable_seqscan = off; set local enable_hashjoin = off; set local enable_mergejoin = off"
        )
        yield connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Asks queries of this room for somebody who may not see everything."""

    connection: StoreConnection
    readable: Readable

    def rows(self, query: Any, *, down: bool = True, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query; none where it asks for a text that Postgres could not hold.

        down: the direction of a query that has two, which no parameter could say: an index is followed either way.
        """
        if not all(storable_text(text) for text in values.values() if isinstance(text, str)):
            return []
        text = query.sql.replace("{order}", "desc" if down else "asc").replace("{beyond}", "<" if down else ">")
        values |= {"everything": self.readable is None, "dags": sorted(self.readable or ())}
        return self.connection.execute(text.encode(), values).fetchall()


@contextmanager
def reading(store: Store, readable: Readable) -> Iterator[Reader]:
    """What a page reads with."""
    with read_only(store) as connection:
        yield Reader(connection=connection, readable=readable)


def storable_text(text: str) -> bool:
    """Whether Postgres could hold the text at all; what it could not hold, no key can be."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
