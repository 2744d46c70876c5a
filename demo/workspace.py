"""The demo's folder: everything that it writes, made anew each time, used by one demo at a time."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vod_migrate.errors import BadSetting
from vod_migrate.migration.loader import load_migration

_MARK = "made-by-vod-migrate-demo"


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """An empty folder that is ours until the end; its content stays for a look afterwards."""
    path.mkdir(exist_ok=True)
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BadSetting(
                f"another demo is using {path}: stop it first, or start this one in another folder"
            ) from None
        content = list(path.iterdir())
        if content and not (path / _MARK).exists():
            raise BadSetting(f"{path} holds files that the demo did not make: move them away first")
        for one in content:
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        (path / _MARK).touch()
        yield path
    finally:
        os.close(handle)


def copy_dags(source: Path, target: Path) -> Path:
    """Copies the DAGs; returns the shipped migration's file. Its copy may first run tomorrow.

    Airflow starts the last scheduled interval as soon as a DAG is unpaused; a start date of today leaves it none, so that
    the only run is the one that the demo triggers.
    """
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    path = target / "migrations" / "sandbox.yaml"
    today = dt.datetime.now(load_migration(path).zone).date()
    path.write_text(f"{path.read_text(encoding='utf-8')}start_date: {today}\n", encoding="utf-8")
    return path
