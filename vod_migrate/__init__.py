"""Register large OSS archives in ApsaraVideo VOD: batched, rate-limited, resumable, explained.

The names for your own code, each imported when it is used; everything else may change with any version:

    Migration, load_migration, parse_migration   a migration file, or the same as a mapping
    Store                                        the results database
    load_report, write_report, unguarded         a run's report, its files, the exact text of their cells
    migration_dag, migration_group, VodHook      a migration in Airflow; the tasks in a DAG of your own; the connection
    VodMediaReadySensor                          waits in a DAG of your own until VOD can play media
    VodMigrateError                              the base of all errors
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "Migration": "migration.model",
    "Store": "results.store",
    "VodHook": "airflow.hook",
    "VodMediaReadySensor": "airflow.sensor",
    "VodMigrateError": "errors",
    "load_migration": "migration.loader",
    "load_report": "report.loader",
    "migration_dag": "airflow.dag",
    "migration_group": "airflow.dag",
    "parse_migration": "migration.loader",
    "unguarded": "results.csv_tables",
    "write_report": "report.files",
}
__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - strings


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vod_migrate' has no attribute {name!r}")
    return getattr(importlib.import_module(f"vod_migrate.{_HOMES[name]}"), name)
