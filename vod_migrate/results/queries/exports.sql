-- Tables that were written after runs.

-- name: export_moment$
-- The beginning of the oldest transaction of this database that has not ended, as far as the role may see it.
select least(now(), min(xact_start)) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid();

-- name: note_export!
-- Where the table of a run is.
update vod_migrate.runs set exported = :exported where run_no = :run_no;

-- name: export_base$
-- Up to when the migration's results were exported under the same settings. A run that exports again replaces what it has exported, so it
-- begins where that began.
select case when r.exported is not null then (r.exported ->> 'since')::timestamptz else (
  select max((before.exported ->> 'until')::timestamptz) from vod_migrate.runs before
  where before.migration_id = r.migration_id and before.exported is not null and before.spec -> 'export' @> :same) end
from vod_migrate.runs r where r.run_no = :run_no;
