"""The CSV of our own tables: failures, mapping, results and the objects of a search. A manifest of this form is read back exactly.

The files begin with a byte order mark, by which Excel knows UTF-8, and no cell can start a formula in a spreadsheet: see `guarded`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any

ENCODING = "utf-8-sig"

FAILURE_COLUMNS = (
    "bucket",
    "key",
    "code",
    "message",
    "meaning",
    "fix",
    "request_id",
    "attempts",
    "size",
    "storage_class",
    "last_modified",
)
MAPPING_COLUMNS = (
    "bucket",
    "key",
    "media_id",
    "new_register",
    "title",
    "size",
    "etag",
    "storage_class",
    "registered_at",
    "run_id",
)
RESULT_COLUMNS = (
    "bucket",
    "key",
    "state",
    "media_id",
    "new_register",
    "title",
    "code",
    "message",
    "size",
    "etag",
    "storage_class",
    "last_modified",
    "settled_at",
    "run_id",
    "same_as",
)
SEARCH_COLUMNS = ("account", "migration", "bucket", "key", "state", "code", "media_id", "size", "updated_at")

CUT = "# cut after "
"""How the last line of a table begins that is not whole."""

# What spreadsheets take for the start of a formula, the full-width forms of Chinese input included, after any guards.
_STARTERS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_SUSPECT = frozenset(f"'{_STARTERS}")
_FORMULA = re.compile(f"'*[{re.escape(_STARTERS)}]")


def guarded(cell: str) -> str:
    """The cell with a leading apostrophe where a spreadsheet would take it for a formula; `unguarded` gives it back exactly."""
    return "'" + cell if cell[:1] in _SUSPECT and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`: without one leading apostrophe, if a formula's first character follows it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def csv_line(cells: Sequence[Any]) -> str:
    """One line of CSV with its line end; no cell starts a formula."""
    line = io.StringIO()
    # Every text is quoted: a cell that a spreadsheet splits at ';' must not begin a formula in the middle.
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC).writerow(
        [guarded(cell) if type(cell) is str else cell for cell in cells]
    )
    return line.getvalue()


def own_columns(header: Sequence[str]) -> int:
    """How many of a table's columns are ours, from the first one on: 0 unless its header line begins as one of ours does."""
    tables = (FAILURE_COLUMNS, MAPPING_COLUMNS, RESULT_COLUMNS, SEARCH_COLUMNS)
    return next((len(columns) for columns in tables if tuple(header[: len(columns)]) == columns), 0)
