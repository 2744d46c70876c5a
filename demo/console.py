"""The demo's output: a line for each step, and the progress of the run as a bar on a terminal or a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0

Meter = Callable[[int, str], None]
"""Takes the objects answered so far and what is going on."""


class DemoConsole(Console):
    """A console that knows when the demo began."""

    def __init__(self) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False)
        self._began = time.monotonic()

    def step(self, text: str) -> None:
        """One line, with the seconds since the demo began."""
        self.print(f"{time.monotonic() - self._began:5.0f} s  {text}")

    @contextmanager
    def meter(self, total: int) -> Iterator[Meter]:
        """Shows the progress towards `total` objects."""
        columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self, transient=True, disable=not self.is_terminal) as progress:
            task = progress.add_task("", total=total)
            next_line = 0.0

            def show(done: int, note: str) -> None:
                nonlocal next_line
                progress.update(task, completed=done, description=note)
                if not self.is_terminal and time.monotonic() >= next_line:
                    next_line = time.monotonic() + _LINE_SECONDS
                    self.step(f"  {done:>7,} of {total:,} objects  ({note})")

            yield show
