"""`--watch`: what a command shows, again and again, until nothing runs any more."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

WatchOption: TypeAlias = Annotated[
    bool, typer.Option("--watch", help="Refresh the output until no run is active, or until Ctrl-C.")
]
EveryOption: TypeAlias = Annotated[
    float,
    typer.Option("--every", min=0.5, max=3600, metavar="SECONDS", help="With --watch: seconds between refreshes."),
]
EVERY = 2.0


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What is shown once. text: without a last newline, perhaps with colours; facts: what it says, but for the time that passes; running: whether it may change."""

    text: str
    facts: Any
    running: bool


def show(look: Callable[[], Glance], *, watching: bool, seconds: float) -> None:
    """Shows one glance, or if watching, glances until one is of nothing that runs, or until Ctrl-C.

    A terminal is drawn anew each time, cut to its height, and keeps the last glance whole. Elsewhere a glance is printed only if its
    facts are new.
    """
    if not watching:
        _print_changes(iter([look()]))
        return
    # Only the looking ends with Ctrl-C: what is watched runs elsewhere.
    if not sys.stdout.isatty():
        with suppress(KeyboardInterrupt):
            _print_changes(_glances(look, seconds))
        return
    last = None
    with suppress(KeyboardInterrupt), Live(console=Console(), transient=True, auto_refresh=False) as live:
        for last in _glances(look, seconds):
            live.update(Text.from_ansi(last.text, no_wrap=True, overflow="ellipsis"), refresh=True)
    if last is not None:
        typer.echo(last.text)


def _glances(look: Callable[[], Glance], seconds: float) -> Iterator[Glance]:
    yield (glance := look())
    while glance.running:
        threading.Event().wait(seconds)
        yield (glance := look())


def _print_changes(glances: Iterator[Glance]) -> None:
    shown = None
    for glance in glances:
        if glance.text and glance.facts != shown:
            typer.echo(glance.text)
        shown = glance.facts
