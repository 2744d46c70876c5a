"""The DAG files that `vod-migrate airflow init` writes, and a first migration beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vod_migrate.airflow.migration_folder import FOLDER_NAME
from vod_migrate.errors import BadOption
from vod_migrate.migration.scaffold import Scaffold, render_scaffold
from vod_migrate.report.complete_file import complete_file

DAG_FILES = {
    "vod_backfill.py": '''\
"""One DAG for each migration file: migrations/<file>.yaml becomes vod_backfill__<name> in Airflow.

A file with `reconcile` has a second one, vod_reconcile__<name>.

An invalid file gets no DAG and does not affect the others; vod_backfill_problems.py shows what is wrong with it.
"""

from vod_migrate.airflow.folder_dags import migration_dags

globals().update(migration_dags(__file__))
''',
    "vod_backfill_problems.py": '''\
"""Shows invalid migration files as an import error in Airflow. It defines no DAG.

It is a separate file because an import error removes every DAG of its file.
"""

from vod_migrate.airflow.folder_dags import check_migrations

check_migrations(__file__)
''',
}
"""The texts by name; the same files are in dags/ of the repository."""

EXAMPLE = Scaffold(name="example", bucket="your-bucket", prefix="interviews/")


@dataclass(frozen=True, kw_only=True)
class DagFolder:
    """What a DAG folder holds now. written: new or replaced files; kept: files that were there already, with the same text."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def write_dag_files(folder: Path, *, force: bool) -> DagFolder:
    """Writes the DAG files, and an example migration where there is no migration yet.

    Raises:
        BadOption: a DAG file was changed and force is not given, or the folder cannot be written to.
    """
    migrations = folder / FOLDER_NAME
    wanted = {folder / name: text for name, text in DAG_FILES.items()}
    try:
        changed = [path for path, text in wanted.items() if path.exists() and path.read_bytes() != text.encode()]
        if changed and not force:
            names = " and ".join(map(str, changed))
            raise BadOption(
                f"{names}: changed, or from another version, so nothing was written. Use --force to overwrite"
            )
        if not any(migrations.glob("*.y*ml")):
            wanted[migrations / f"{EXAMPLE.name}.yaml"] = render_scaffold(EXAMPLE)
        written = [path for path in wanted if path in changed or not path.exists()]
        for path in written:
            path.parent.mkdir(parents=True, exist_ok=True)
            with complete_file(path) as file:
                file.write(wanted[path].encode())
    except OSError as error:
        raise BadOption(f"{error.filename or folder} cannot be written: {error.strerror or error}") from None
    return DagFolder(written=tuple(written), kept=tuple(path for path in wanted if path not in written))
