"""Debian's PgBouncer in front of the session's Postgres, as managed Postgres offers it: transactions are pooled, options refused."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg.conninfo import conninfo_to_dict
from waiting import wait_for

_CONFIGURATION = """
[databases]
* = host={socket}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
query_wait_timeout = 20
"""


class PgBouncer(NamedTuple):
    """A running one. of: the address of a database through it, given the one of the server itself."""

    port: int

    def of(self, url: str, user: str = "postgres") -> str:
        name = conninfo_to_dict(url)["dbname"]
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}?sslmode=disable"


@contextmanager
def pgbouncer(url: str, *, mode: str = "transaction", size: int = 5) -> Iterator[PgBouncer]:
    """One in front of a server. url: any database of the server, through its socket; size: connections to each database."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        pytest.skip("this test needs PgBouncer: sudo apt-get install pgbouncer")
    with tempfile.TemporaryDirectory(prefix="vod-pgbouncer-") as made, socket.create_server(("127.0.0.1", 0)) as free:
        folder = Path(made)
        folder.chmod(0o755)
        port = free.getsockname()[1]
        users = folder / "users.txt"
        users.write_text('"postgres" ""\n"visitor" ""\n', encoding="utf-8")
        configuration = folder / "pgbouncer.ini"
        place = conninfo_to_dict(url)["host"]
        configuration.write_text(
            _CONFIGURATION.format(socket=place, port=port, users=users, mode=mode, size=size), encoding="utf-8"
        )
        free.close()
        # It refuses to run as root, and only the server's own user may enter the folder of the socket.
        owner = Path(str(place)).stat()
        other = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([found, str(configuration)], stdout=log, stderr=log, **other)  # type: ignore[call-overload]
        try:
            wait_for(lambda: _answers(port) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
            yield PgBouncer(port)
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
