"""Titles, ReferenceIds and file names that several objects share: counted on disk, so that memory stays flat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Self

from vod_migrate.plan.model import Duplicates, Repeated
from vod_migrate.results.scan import SAMPLES

_TEXTS = {
    "titles": "title",
    "references": "reference",
    # The file name of a key: without everything up to its last slash.
    "names": "replace(key, rtrim(key, replace(key, '/', '')), '')",
}


class RepeatedTexts:
    """Takes the key, the title and the ReferenceId of every object; a private SQLite file sorts them. Close it after use."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # '' is a temporary file that goes away by itself
        self._database.execute("pragma journal_mode = off")
        self._database.execute("create table described (key text, title text, reference text)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add(self, described: Iterable[tuple[str, str, str | None]]) -> None:
        """Some objects: (key, title, ReferenceId)."""
        with closing(self._database.cursor()) as cursor:
            cursor.execute("begin")
            cursor.executemany("insert into described values (?, ?, ?)", described)
            cursor.execute("commit")

    def found(self) -> dict[str, Duplicates]:
        """The titles, the references and the names (of files, in different folders) that occur more than once."""
        return {name: self._repeated(text) for name, text in _TEXTS.items()}

    def _repeated(self, text: str) -> Duplicates:
        rows = self._database.execute(
            f"""with repeated as (
                  select {text} as text, count(*) as objects, min(key) as first, max(key) as last
                  from described where {text} is not null group by 1 having count(*) > 1)
                select text, objects, first, last, count(*) over (), sum(objects) over ()
                from repeated order by objects desc, text limit {SAMPLES}"""  # noqa: S608 - our own expressions
        ).fetchall()
        if not rows:
            return Duplicates()
        return Duplicates(
            texts=rows[0][4],
            objects=rows[0][5],
            samples=tuple(Repeated(text=row[0], count=row[1], keys=(row[2], row[3])) for row in rows),
        )
