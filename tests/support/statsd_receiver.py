"""A StatsD server: a real socket on 127.0.0.1 that keeps the datagrams it is sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


class Line(NamedTuple):
    """One metric: its name with everything before the colon, its value, and its kind: c, g or ms."""

    name: str
    value: float
    kind: str


@dataclass(kw_only=True)
class StatsdReceiver:
    """What was sent, in order."""

    address: str
    lines: list[Line] = field(default_factory=list)
    marks: list[threading.Event] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def total(self, name: str) -> float:
        """The sum of a counter."""
        return sum(line.value for line in self.lines if line.name == name)

    def last(self, name: str) -> float:
        """Where a gauge stands."""
        return [line.value for line in self.lines if line.name == name][-1]

    def wait(self) -> None:
        """Returns when everything that was sent before is in `lines`."""
        seen = threading.Event()
        self.marks.append(seen)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", ("127.0.0.1", self.port))
        assert seen.wait(5.0)


@contextmanager
def statsd_receiver() -> Iterator[StatsdReceiver]:
    """Receives while the block runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind(("127.0.0.1", 0))
        state = StatsdReceiver(address=f"127.0.0.1:{server.getsockname()[1]}")
        over = threading.Event()

        def receive() -> None:
            while not over.is_set():
                datagram = server.recv(65536)
                if not datagram:
                    state.marks.pop(0).set()
                for text in datagram.decode("ascii").splitlines():
                    name, _, told = text.rpartition(":")
                    value, kind = told.split("|")[:2]
                    state.lines.append(Line(name, float(value), kind))

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            over.set()
            state.wait()
            thread.join(5.0)
