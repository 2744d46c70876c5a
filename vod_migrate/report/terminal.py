"""Lines for a terminal: wrapped, cut and padded by the columns that characters take."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console
from rich.text import Text

COLUMNS = 100

Line = tuple[str, str]
"""A line and its style for rich, '' for none."""

COMMAND = "not dim"
"""The style of a command to copy, which is never cut."""

_OPENING = "\u201c\u300a\u300c\u300e\uff08"
_WIDE = "\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef"
_ENDING = "\u3001\u3002\u300b\u300d\u300f\u201d\uff01\uff09\uff0c\uff1a\uff1b\uff1f"
_PIECE = re.compile(rf"[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}]+)[{_ENDING}]*\s*|\s+")
"""What is never torn apart: a word, or a Chinese character, with the Chinese punctuation around it."""


def wrapped(text: str, *, first: str = "", style: str = "") -> Iterator[Line]:
    """Wraps by the columns that characters take, Chinese ones two; the lines after the first are indented as deep."""
    begin, room = first, COLUMNS - cell_len(first)
    for paragraph in text.split("\n"):
        for line in _lines(paragraph, room):
            yield begin + line.rstrip(), style
            begin = " " * cell_len(first)


def _lines(text: str, room: int) -> Iterator[str]:
    line = ""
    for piece in _PIECE.findall(text):
        if line and cell_len(line + piece.rstrip()) > room:
            yield line
            line = ""
        *whole, rest = chop_cells(piece, room) if cell_len(piece.rstrip()) > room else [piece]
        yield from whole
        line += rest
    yield line


def cut(text: str, columns: int) -> str:
    """Keeps both ends: keys differ at the end and share their folders at the start."""
    if cell_len(text) <= columns:
        return text
    end = text[-(columns // 2) :]
    while cell_len(end) > columns // 2:
        end = end[1:]
    return f"{set_cell_size(text, columns - 1 - cell_len(end)).rstrip()}…{end}"


def padded(text: str, columns: int) -> str:
    """Text cut or filled up to so many columns."""
    return set_cell_size(cut(text, columns), columns)


def right(text: str, columns: int) -> str:
    """Text filled up from the left to so many columns."""
    return " " * (columns - cell_len(text)) + text


def rendered(lines: Iterable[Line], *, colour: bool) -> str:
    """The lines as text that ends with a newline. colour: with the terminal's colour codes."""
    console = Console(
        force_terminal=colour,
        color_system="standard" if colour else None,
        width=COLUMNS,
        highlight=False,
        file=io.StringIO(),
    )
    with console.capture() as captured:
        for line, style in lines:
            whole = line if style == COMMAND else cut(line, COLUMNS)
            console.print(Text(whole.rstrip(), style=style), soft_wrap=True)
    return captured.get()
