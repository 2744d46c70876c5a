"""The names that a shell completes, read in a moment or not at all."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosql
import psycopg

from vod_migrate.results.address import VARIABLE, database_url

MOST = 50
"""Of migrations, and of runs: a person picks from what a screen shows."""
PATIENCE = 0.3
"""Seconds for the database to answer: with the start of the process, an answer takes less than half a second."""

_QUERIES: Any = aiosql.from_path(Path(__file__).parent / "queries" / "names.sql", "psycopg", mandatory_parameters=False)


def names_like(begin: str) -> list[str]:
    """Migrations, then run IDs, newest first, that begin with a text. Empty if the database does not answer at once; raises nothing."""
    found: list[str] = []
    # libpq waits at least two seconds for a host that is silent.
    reader = threading.Thread(target=_read, args=(begin, found), daemon=True)
    reader.start()
    reader.join(PATIENCE)
    return list(found)


def _read(begin: str, found: list[str]) -> None:
    # Nothing is said: the person is in the middle of a line.
    with suppress(Exception), psycopg.connect(_url(), connect_timeout=2) as connection:
        found += [name for (name,) in _QUERIES.names_like(connection, begin=begin, most=MOST)]


def _url() -> str:
    """The database that the environment names, or the embedded one if it runs; starting it takes too long."""
    if os.environ.get(VARIABLE, "").strip():
        return database_url(embedded=False)
    from vod_migrate.results.embedded import embedded_home  # noqa: PLC0415 - only where none is named

    lines = (embedded_home() / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    return f"postgresql://postgres@/postgres?host={quote(lines[4], safe='/')}"
