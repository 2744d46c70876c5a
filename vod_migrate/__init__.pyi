from vod_migrate.airflow.dag import migration_dag as migration_dag
from vod_migrate.airflow.dag import migration_group as migration_group
from vod_migrate.airflow.hook import VodHook as VodHook
from vod_migrate.airflow.sensor import VodMediaReadySensor as VodMediaReadySensor
from vod_migrate.errors import VodMigrateError as VodMigrateError
from vod_migrate.migration.loader import load_migration as load_migration
from vod_migrate.migration.loader import parse_migration as parse_migration
from vod_migrate.migration.model import Migration as Migration
from vod_migrate.report.files import write_report as write_report
from vod_migrate.report.loader import load_report as load_report
from vod_migrate.results.csv_tables import unguarded as unguarded
from vod_migrate.results.store import Store as Store

__version__: str
