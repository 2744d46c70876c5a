"""Prints the tables that the benchmarks left in build/benchmarks/, writes them to docs/reference/benchmarks.md, and a few rows to README.md.

python benchmarks/summary.py
"""

from __future__ import annotations

import ast
import json
import os
import re
from pathlib import Path

from figures import FOLDER

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

What `make bench` measured on {cores} cores, which also ran the sandbox, the database and the programs that ours is compared with.
Compare only figures of one table, because these were measured side by side in one run. `make bench` rewrites this page;
`build/benchmarks/` has the same figures as JSON.
"""
README = HERE.parent / "README.md"
IN_SHORT = [
    # what is compared, table, its column, the cells that the rows begin or continue with, and ours and the others by their first cell
    ("objects/s without a quota, 120 ms a call", "engine", "objects/s", (), "vod-migrate, one worker", ["loop of the sample", "one Airflow task per batch"]),
    ("calls throttled at the quota: 16 processes, 20 ms jitter", "quota", "throttled", ("20 ms jitter", "16"), "ours", ["pyrate", "backoff"]),
    ("keys/s of a first listing, 80 ms a page", "listing_delays", "keys/s", ("80 ms",), "vod-migrate, 8 at once", ["oss2", "alibabacloud-oss-v2", "rclone lsf --fast-list"]),
]  # fmt: skip
"""The rows of README.md."""


def main() -> None:
    parts = [HEAD.format(cores=os.cpu_count())]
    for script in sorted(HERE.glob("*.py")):
        tables = sorted(FOLDER.glob(f"{script.stem}.json")) + sorted(FOLDER.glob(f"{script.stem}_*.json"))
        if not tables:
            continue
        parts.append(
            f"## {script.stem.capitalize()}\n\n{first_sentence(script)}\n\n`python benchmarks/{script.name}`\n"
        )
        parts += [markdown(table) for table in tables]
    text = "\n".join(parts)
    print(text)
    PAGE.write_text(text, encoding="utf-8")
    README.write_text(
        re.sub(r"(?<=\n)\| \[measured.*?\n(?=\n)", in_short, README.read_text("utf-8"), flags=re.DOTALL),
        encoding="utf-8",
    )


def in_short(before: re.Match[str]) -> str:
    """README.md's table anew; as it was where something was not measured."""
    lines = [
        "| [measured side by side](docs/reference/benchmarks.md) | vod-migrate | otherwise |",
        "| --- | ---: | --- |",
    ]
    for what, name, column, cells, ours, others in IN_SHORT:
        table = FOLDER / f"{name}.json"
        if not table.exists():
            return before[0]
        kept = json.loads(table.read_text(encoding="utf-8"))
        place = kept["columns"].index(column)
        told = {row[0]: row[place] for row in kept["rows"] if tuple(row[1 : 1 + len(cells)]) == cells}
        if ours not in told:
            return before[0]
        beside = [f"{told[other]} ({other})" for other in others if other in told]
        lines.append(f"| {what} | {told[ours]} | {', '.join(beside)} |")
    return "\n".join(lines) + "\n"


def first_sentence(script: Path) -> str:
    """Of the script's docstring."""
    return (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]


def markdown(table: Path) -> str:
    """One table; numbers to the right."""
    kept = json.loads(table.read_text(encoding="utf-8"))
    columns, rows = kept["columns"], kept["rows"]
    rule = ["---", *(["---:"] * (len(columns) - 1))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *rows)) + "\n"


if __name__ == "__main__":
    main()
