-- Tables that were written after runs.

-- name: export_moment$
-- The beginning of the oldest transaction of this database that has not ended.
select least(now(), min(xact_start)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();

-- name: note_export!
-- Where the table of a run is.
update vod_migrate.runs set exported = :exported where run_no = :run_no;

-- name: last_export$
-- Until when a migration's results were exported under the same settings.
select max((exported ->> 'until')::timestamptz) from vod_migrate.runs
where migration_id = :migration_id and exported is not null and spec -> 'export' @> :same;
