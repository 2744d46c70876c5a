"""`vod-migrate airflow init`: the DAG files of the repository, in any DAG folder, without loss of what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell

from vod_migrate.airflow.dag_files import DAG_FILES


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {})


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_it_writes_the_dag_files_of_the_repository(dags_folder: Path) -> None:
    assert {name: (dags_folder / name).read_text() for name in DAG_FILES} == DAG_FILES


def test_a_new_folder_gets_dag_files_and_an_example_and_a_second_time_changes_nothing(
    shell: Shell, tmp_path: Path
) -> None:
    folder = tmp_path / "中文 dags"

    first = shell.run("airflow", "init", str(folder))
    made = contents(folder)
    second = shell.run("airflow", "init", str(folder))

    assert (first.returncode, second.returncode) == (0, 0)
    assert set(made) == {*DAG_FILES, "migrations/example.yaml"}
    assert f"wrote {folder}/migrations/example.yaml" in first.stdout
    assert "vod_migrate_db" in first.stdout
    assert "wrote" not in second.stdout
    assert contents(folder) == made


def test_a_changed_dag_file_is_overwritten_only_by_force_and_migrations_never(shell: Shell, tmp_path: Path) -> None:
    own = {"migrations/mine.yaml": "name: mine\n", "vod_backfill.py": "# mine\n"}
    (tmp_path / "dags" / "migrations").mkdir(parents=True)
    for name, text in own.items():
        (tmp_path / "dags" / name).write_text(text)

    refused = shell.run("airflow", "init", str(tmp_path / "dags"))
    untouched = contents(tmp_path / "dags")
    forced = shell.run("airflow", "init", str(tmp_path / "dags"), "--force")

    assert refused.returncode == 2
    assert "dags/vod_backfill.py: changed" in refused.stderr
    assert "--force" in refused.stderr
    assert untouched == own
    assert forced.returncode == 0
    assert contents(tmp_path / "dags") == {**DAG_FILES, "migrations/mine.yaml": "name: mine\n"}


def test_a_folder_that_is_none_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    done = shell.run("airflow", "init", str(tmp_path / "file" / "dags"))

    assert done.returncode == 2
    assert "Not a directory" in done.stderr
