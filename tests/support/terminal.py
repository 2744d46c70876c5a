"""A terminal for a command in a process of its own: what it draws, as it draws it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Terminal:
    """near: the end that a process gets as its stdout or stderr."""

    def __init__(self, *, rows: int = 24, columns: int = 120) -> None:
        self._far, self.near = pty.openpty()
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.drawn = ""

    def read(self, seconds: float = 0.0) -> str:
        """Everything that has been drawn so far, after waiting for more for a time."""
        until = time.monotonic() + seconds
        while select.select([self._far], [], [], max(0.0, until - time.monotonic()))[0]:
            self.drawn += os.read(self._far, 65_536).decode(errors="replace")
        return self.drawn

    def close(self) -> None:
        os.close(self.near)
        os.close(self._far)


@contextmanager
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    try:
        yield made
    finally:
        made.close()
