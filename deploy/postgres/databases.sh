#!/usr/bin/env bash
# Run once by the Postgres image, on an empty data folder: one role and one database for Airflow's metadata,
# another pair for the results. Airflow's tasks reach only the second one.
set -euo pipefail

make_database() {
  psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres --set name="$1" --set password="$2" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name" encoding 'UTF8' template template0;
revoke all on database :"name" from public;
SQL
}

make_database airflow "$AIRFLOW_DB_PASSWORD"
make_database vod_migrate "$VOD_MIGRATE_DB_PASSWORD"
