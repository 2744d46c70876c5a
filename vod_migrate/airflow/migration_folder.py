"""The folder of migration files: which of them become DAGs, and what is wrong with the others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from vod_migrate.errors import BadMigrationFile
from vod_migrate.migration.loader import load_migration
from vod_migrate.migration.messages import shown
from vod_migrate.migration.model import Migration

FOLDER_NAME = "migrations"
"""The folder of migration files, beside the DAG files."""


@dataclass(frozen=True, kw_only=True)
class MigrationFile:
    """A migration and the file that it was read from."""

    path: Path
    migration: Migration


@dataclass(frozen=True, kw_only=True)
class MigrationFolder:
    """usable: one for each DAG, by file name; problems: one paragraph for each file that is not."""

    usable: tuple[MigrationFile, ...]
    problems: tuple[str, ...]


def read_folder(folder: Path) -> MigrationFolder:
    """Reads every `*.yaml` of a folder. A broken file costs only its own DAG; raises nothing."""
    read: list[MigrationFile] = []
    problems: list[str] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix == ".yml":
            problems.append(f"{path.name}: is not read: rename it to {path.stem}.yaml")
        if path.suffix != ".yaml" or path.name.startswith("."):
            continue
        if not path.is_file():
            # A pipe would never end.
            problems.append(f"{path.name}: is not a file")
            continue
        try:
            migration = load_migration(path)
        except BadMigrationFile as error:
            problems.append(f"{path.name}: " + "; ".join(error.problems))
        except Exception as error:  # noqa: BLE001 - whatever a file does, the others are read
            problems.append(f"{path.name}: cannot be read: {shown(repr(error))}")
        else:
            read.append(MigrationFile(path=path, migration=migration))
    return _without_doubles(read, problems)


def _without_doubles(read: list[MigrationFile], problems: list[str]) -> MigrationFolder:
    by_name = defaultdict(list)
    for file in read:
        by_name[file.migration.name].append(file)
    usable = []
    for name, files in by_name.items():
        if len(files) == 1:
            usable.append(files[0])
            continue
        # Neither is used: a copied file must not run under the name, and with the results, of another.
        paths = " and ".join(file.path.name for file in files)
        problems.append(f"{paths}: both are named {name!r}, so neither has a DAG: give each its own name")
    return MigrationFolder(usable=tuple(usable), problems=tuple(problems))
