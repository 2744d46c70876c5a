"""Prints the tables that the benchmarks left in build/benchmarks/, and writes them to docs/reference/benchmarks.md.

python benchmarks/summary.py
"""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

from figures import FOLDER

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

What `make bench` measured on {cores} cores that ran everything: the sandbox, the database, our processes, and what they are compared with.
Compare figures of one table only; they were measured side by side in one run, where other programs used the machine, too. `make bench` writes this page anew, and
`build/benchmarks/` has the same as JSON.
"""


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
