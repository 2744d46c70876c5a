"""A way to the database that takes its time: a TCP proxy that holds every packet back, in both directions."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK = 65_536


class DelayProxy:
    """In front of one database. url: of the database behind it; round_trip: seconds."""

    def __init__(self, url: str, *, round_trip: float) -> None:
        behind = conninfo_to_dict(url)
        self._behind = f"{behind['host']}/.s.PGSQL.{behind.get('port', 5432)}"
        self._one_way = round_trip / 2
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{behind.get('user', 'postgres')}@127.0.0.1:{port}/{behind['dbname']}"
        assert make_conninfo(self.url)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._behind)
                here.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += (here, there)
                for source, target in ((here, there), (there, here)):
                    line: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    threading.Thread(target=self._read, args=(source, line), daemon=True).start()
                    threading.Thread(target=self._write, args=(target, line), daemon=True).start()

    def _read(self, source: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        data = b"?"
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            line.put((time.monotonic() + self._one_way, data))

    def _write(self, target: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        with suppress(OSError):
            while True:
                due, data = line.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
