"""Draws docs/pictures/rooms.svg: an object's way through the package, and who may import whom. Run it with `make docs`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "pictures" / "rooms.svg"

PURPOSES = {
    "cli": "one file a command",
    "airflow": "hook, operators, pages",
    "run": "prepare, work, settle, resume, control",
    "audit": "what became of objects",
    "plan": "what a run would do",
    "doctor": "checks before a run",
    "register": "batch, call, retry, split",
    "describe": "from an object to its metadata",
    "discover": "list a source, select objects",
    "report": "everything that is shown",
    "results": "facts and work, in Postgres",
    "cloud": "clients of OSS and VOD",
    "rate": "the account's rate limit",
    "migration": "what a file may say",
    "media": "the value objects that travel",
    "metrics": "what a run tells while it works",
    "shutdown": "how a process is told to stop",
    "errors": "what can go wrong",
    "sandbox": "a local OSS and VOD, apart from the rest: only cli starts it",
}

WAY = [
    ("OSS", "holds the object"),
    ("discover", "lists and selects it"),
    ("describe", "gives it a title"),
    ("register", "sends ten in a call"),
    ("VOD", "gives it a MediaId"),
    ("results", "keeps the outcome"),
    ("report", "explains it"),
]
"""An object's way: rooms of the package, and the two services."""

_STYLE = """
  text { font-family: system-ui, sans-serif; font-size: 13px; fill: #1c2330; text-anchor: middle; }
  .name { font-weight: 600; font-size: 14px; }
  .head { font-weight: 600; font-size: 15px; text-anchor: start; }
  .note { fill: #4d5767; font-size: 12px; }
  rect { fill: #eaf0fb; stroke: #7d95c4; }
  .service { fill: #fdf1dc; stroke: #c59a4a; }
  .apart { fill: none; stroke-dasharray: 5 4; }
  path { stroke: #5a6a86; stroke-width: 1.5; fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e3e7ef; }
    .note { fill: #a9b3c4; }
    rect { fill: #222c40; stroke: #5f78a8; }
    .service { fill: #3a2f1a; stroke: #a9833d; }
    path { stroke: #92a1bc; }
  }
"""

_WIDTH = 1120
_ROW = 58
_GAP = 12


def layers() -> list[list[str]]:
    """The rooms from the top of the import contract to its bottom; those of one layer do not import each other."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (ordered,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [[room.strip() for room in layer.split("|")] for layer in ordered["layers"]]


def picture() -> str:
    """The picture as SVG. A room without a purpose here is a KeyError."""
    way = list(_way(top=64))
    rows = layers()
    stack = list(_stack(rows, top=200))
    height = 200 + len(rows) * (_ROW + _GAP) + 8
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
            '<path d="M1 1 7 4 1 7"/></marker></defs>',
            '<text class="head" x="16" y="36">The way of an object</text>',
            *way,
            '<text class="head" x="16" y="180">The rooms: each may import those below it</text>',
            *stack,
            "</svg>",
            "",
        ]
    )


def _way(*, top: int) -> Iterator[str]:
    step = (_WIDTH - 2 * 16 + 24) / len(WAY)
    for index, (name, note) in enumerate(WAY):
        left = 16 + index * step
        yield from _box(name, note, left=left, top=top, width=step - 24, kind="" if name in PURPOSES else "service")
        if index:
            yield f'<path d="M{left - 23:.0f} {top + _ROW / 2:.0f} H{left - 2:.0f}" marker-end="url(#tip)"/>'


def _stack(rows: list[list[str]], *, top: int) -> Iterator[str]:
    for index, row in enumerate(rows):
        width = (_WIDTH - 2 * 16 - _GAP * (len(row) - 1)) / len(row)
        for column, room in enumerate(row):
            left = 16 + column * (width + _GAP)
            kind = "apart" if room == "sandbox" else ""
            yield from _box(room, PURPOSES[room], left=left, top=top + index * (_ROW + _GAP), width=width, kind=kind)


def _box(name: str, note: str, *, left: float, top: float, width: float, kind: str) -> Iterator[str]:
    middle = left + width / 2
    yield f'<rect class="{kind}" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{_ROW}" rx="6"/>'
    yield f'<text class="name" x="{middle:.0f}" y="{top + 25:.0f}">{escape(name)}</text>'
    yield f'<text class="note" x="{middle:.0f}" y="{top + 44:.0f}">{escape(note)}</text>'


def main() -> None:
    """Writes the picture."""
    PICTURE.write_text(picture(), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
