"""The service `postgres`, without its image: the embedded server over TCP, with passwords, prepared by the same script."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from demo.cluster.machine import Machine
from demo.processes import run_to_end

_ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"
_INIT_SECONDS = 60.0


def start_postgres(machine: Machine, *, data: Path, port: int, healthy_within: float) -> None:
    """Does what the image's entry point does on an empty data folder, then starts the server.

    data: its folder. port: of 127.0.0.1. healthy_within: seconds.
    """
    from vod_migrate.results.embedded import postgres_library  # noqa: PLC0415 - database driver

    server = postgres_library().get_server(data, cleanup_mode=None, start=False)
    # It also makes a user for the server where we are root, whom Postgres refuses.
    server.ensure_pgdata_inited()
    binaries, user = Path(server.bin_path), server.system_user
    _set_password(binaries, data, machine.environment["POSTGRES_PASSWORD"], user=user)
    (data / "pg_hba.conf").write_text(_ACCESS, encoding="utf-8")
    machine.environment["PATH"] = f"{binaries}{os.pathsep}{machine.environment['PATH']}"
    machine.environment |= {"PGHOST": "127.0.0.1", "PGPASSWORD": machine.environment["POSTGRES_PASSWORD"]}
    # A power cut here costs a demo, so nothing waits for the disk.
    command = [
        *(str(binaries / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""),
        *("-c", "fsync=off"),
    ]
    machine.service = replace(machine.service, command=tuple(command))
    machine.start(user=user)
    machine.wait_until_healthy(healthy_within)
    (script,) = (volume.target for volume in machine.service.volumes if volume.target.endswith(".sh"))
    run_to_end(
        "the script that makes the databases",
        ["bash", f"{machine.root}{script}"],
        environment=machine.environment,
        log=machine.log,
        folder=machine.root,
        seconds=_INIT_SECONDS,
    )


def _set_password(binaries: Path, data: Path, password: str, *, user: str | None) -> None:
    subprocess.run(  # noqa: S603 - our own command
        [binaries / "postgres", "--single", "-D", data, "postgres"],
        input=f"alter role postgres password '{password}'\n",
        cwd=data,
        user=user,
        text=True,
        capture_output=True,
        check=True,
        timeout=_INIT_SECONDS,
    )
