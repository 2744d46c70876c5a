-- What people did: kept with the run, or else the migration or the account, that it was done to.

-- name: note_action!
-- once: only where the same was not noted for the run before, since a task may be tried again.
insert into vod_migrate.actions (account, migration_id, run_no, what, who, detail)
select :account, (select migration_id from vod_migrate.migrations where account = :account and name = :migration),
       (select run_no from vod_migrate.runs where run_id = :run_id), :what, :who, :detail
where not :once or not exists (
  select 1 from vod_migrate.actions a join vod_migrate.runs r using (run_no) where r.run_id = :run_id and a.what = :what
);
