"""What a plan must see all of at once (repeated titles, say), in temporary tables: memory stays flat, and nothing is left behind.

The tables live on a connection of their own and end with it, also when the process is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from vod_migrate.errors import StoreUnreachable
from vod_migrate.results.database import reason
from vod_migrate.results.session import QUERIES, storable

_CONNECT_SECONDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedText:
    """A text that several objects have. texts, objects: how many such texts there are in all, and on how many objects."""

    texts: int
    objects: int
    text: str
    count: int
    keys: tuple[str, str]


class Scratch:
    """Temporary tables of one plan."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def add_texts(self, texts: Iterable[tuple[str, str]]) -> None:
        """Notes (key, title) of objects that are to be sent."""
        with (
            _reachable(),
            self._connection.cursor() as cursor,
            cursor.copy("copy planned_texts (key, title) from stdin") as copy,
        ):
            for key, title in texts:
                copy.write_row((key, storable(title.encode(errors="replace").decode())))

    def named(self, keys: Sequence[str]) -> set[str]:
        """Those of a page's keys that an earlier page has named; all of them count as named from now on."""
        with _reachable():
            return set(keys) - {row[0] for row in QUERIES.note_named(self._connection, keys=list(keys))}

    def add_left(self, keys: Sequence[str], *, sent: bool) -> None:
        """Notes keys that earlier runs left and that the source shows. sent: whether they are taken from there."""
        with _reachable():
            QUERIES.note_left(self._connection, keys=list(keys), sent=sent)

    def left(self, keys: Sequence[str]) -> Mapping[str, bool]:
        """Those of some keys that were noted so, and whether they were taken."""
        with _reachable():
            return dict(QUERIES.left_shown(self._connection, keys=list(keys)))

    def titles(self, *, most: int) -> list[RepeatedText]:
        """The most frequent titles that occur more than once; [] where there are none."""
        with _reachable():
            return [_repeated(row) for row in QUERIES.repeated_titles(self._connection, most=most)]

    def names(self, *, most: int) -> list[RepeatedText]:
        """The same for the last parts of keys."""
        with _reachable():
            return [_repeated(row) for row in QUERIES.repeated_names(self._connection, most=most)]


@contextmanager
def scratch(url: str) -> Iterator[Scratch]:
    """Fresh tables.

    Raises:
        StoreUnreachable: no connection, or no room for them.
    """
    with _reachable():
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name="vod-migrate"
        )
    with connection:
        with _reachable():
            QUERIES.make_scratch(connection)
        yield Scratch(connection)


def _repeated(row: Sequence[object]) -> RepeatedText:
    texts, objects, text, count, one, other = row
    return RepeatedText(
        texts=int(str(texts)),
        objects=int(str(objects)),
        text=str(text),
        count=int(str(count)),
        keys=(str(one), str(other)),
    )


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise StoreUnreachable(f"the results database cannot keep a plan's notes: {reason(error)}") from error
