"""What the demo says: a line for each step, and progress as a bar on a terminal or a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0


class Meter(Protocol):
    """Shows how far the run is."""

    def show(self, done: int, note: str) -> None:
        """done: objects answered so far; note: what is going on."""
        ...


class Narrator:
    """Speaks to the person who started the demo."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()

    @property
    def on_terminal(self) -> bool:
        """Whether a person is watching."""
        return self._console.is_terminal

    @property
    def seconds(self) -> float:
        """Since the demo began."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """One line, with the time since the demo began."""
        self._console.print(f"{self.seconds:5.0f} s  {text}", markup=False)

    def text(self, text: str) -> None:
        """Several lines as they are."""
        self._console.print(text, markup=False)

    @contextmanager
    def meter(self, total: int) -> Iterator[Meter]:
        """Progress towards `total` objects."""
        if not self.on_terminal:
            yield _Lines(self, total)
            return
        columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield _Bar(progress, total)


class _Bar:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def show(self, done: int, note: str) -> None:
        self._progress.update(self._task, completed=done, description=note)


class _Lines:
    def __init__(self, teller: Narrator, total: int) -> None:
        self._teller = teller
        self._total = total
        self._next = 0.0

    def show(self, done: int, note: str) -> None:
        if self._teller.seconds < self._next:
            return
        self._next = self._teller.seconds + _LINE_SECONDS
        self._teller.step(f"  {done:>7,} of {self._total:,} objects  ({note})")
