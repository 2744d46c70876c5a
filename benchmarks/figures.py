"""A benchmark's table: each row is printed as it comes, and all are kept as JSON in build/benchmarks/ for `make bench`."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

FOLDER = Path(os.environ.get("BENCHMARK_FIGURES") or Path(__file__).resolve().parents[1] / "build" / "benchmarks")


class Figures:
    """One table. The file is written with every row, so that what was measured is there when a benchmark is stopped."""

    def __init__(self, name: str, *columns: str) -> None:
        self._name = name
        self._columns = columns
        self._rows: list[list[str]] = []
        self._widths = [max(len(column), 14) for column in columns]
        print(self._line(columns))

    def row(self, *values: object) -> None:
        """Prints and keeps a row."""
        cells = [f"{value:,}" if isinstance(value, int) else str(value) for value in values]
        self._rows.append(cells)
        print(self._line(cells), flush=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        kept = {"python": platform.python_version(), "columns": self._columns, "rows": self._rows}
        (FOLDER / f"{self._name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")

    def _line(self, cells: tuple[str, ...] | list[str]) -> str:
        first, *rest = zip(cells, self._widths, strict=True)
        return f"{first[0]:{first[1]}}" + "".join(f" {cell:>{width}}" for cell, width in rest)
