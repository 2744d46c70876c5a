-- Runs: begun, watched, told to end, finished.

-- name: insert_run!
-- A run begins; two tasks that prepare the same one at once make one row.
insert into runs (run_id, account, region, migration, bucket, mode, options, spec, spec_digest, local_date, origin,
                  dag_id, dag_run_id, task_group, execution, state)
values (:run_id, :account, :region, :migration, :bucket, :mode, :options, :spec, :spec_digest, :local_date, :origin,
        :dag_id, :dag_run_id, :task_group, :execution, 'running')
on conflict do nothing;

-- name: get_run^
-- One run.
select run_id, account, migration, bucket, mode, options, spec, local_date, origin, dag_id, dag_run_id, task_group,
       state, stop_code, stop_message, created_at, finished_at, summary, region, reopened_at
from runs where run_id = :run_id;

-- name: run_of_origin^
-- The newest run that an Airflow DAG run prepared: its id, execution and state.
select run_id, execution, state from runs
where dag_id = :dag_id and dag_run_id = :dag_run_id and task_group = :task_group
order by execution desc limit 1;

-- name: show_life!
-- One of the run's tasks works.
update runs set alive_at = now() where run_id = :run_id;

-- name: close_dead_runs
-- Runs of this migration that were killed are told as interrupted, and their own pace ends with them.
with dead as (
  update runs set state = 'interrupted', finished_at = now()
  where account = :account and migration = :migration and run_id <> :run_id and state = 'running'
    and vod_migrate_idle(run_id)
  returning run_id, account
)
delete from quotas q using dead where q.account = dead.account and q.scope = 'run:' || dead.run_id
returning q.scope;

-- name: latest_run_id$
-- The newest run of a migration.
select run_id from runs
where migration = :migration and (:account::text is null or account = :account)
order by created_at desc limit 1;

-- name: list_run_ids
-- The newest runs, of one migration or of all.
select run_id from runs
where (:migration::text is null or migration = :migration)
order by created_at desc limit :most;

-- name: reopen_run!
-- A single task of a finished run was cleared: its verdict is forgotten, its results are not.
update runs set state = 'running', stop_code = null, stop_message = null, stopped_by = null, finished_at = null,
                summary = null, alive_at = now(), reopened_at = now()
where run_id = :run_id and state <> 'running';

-- name: stop_run!
-- The first worker that finds out why the run must stop says so for all.
update runs set stop_code = :code, stop_message = :message
where run_id = :run_id and state = 'running' and stop_code is null;

-- name: ask_to_end$
-- A person pauses or cancels a run that works. It may be about to pause for another reason; cancelling is above pausing.
update runs set stop_code = :code, stop_message = :message, stopped_by = :by
where run_id = :run_id and state = 'running'
  and (stop_code is null or stop_code in ('WindowClosed', 'BrakeReached') or (stop_code = 'Paused' and :code = 'Cancelled'))
returning run_id;

-- name: cancel_paused$
-- A paused run is cancelled: its numbers stay as they are.
update runs set state = 'cancelled', stop_code = :code, stop_message = :message, stopped_by = :by,
                summary = jsonb_set(summary, '{state}', '"cancelled"')
where run_id = :run_id and state = 'paused'
returning run_id;

-- name: run_is_idle$
-- Whether nobody works on a run.
select vod_migrate_idle(:run_id);

-- name: run_signal^
-- What a run's workers look at every second: whether it goes on, the database's clock, and the paces of its own.
select state, stop_code, stop_message, clock_timestamp(),
       array(select scope from quotas q where q.account = runs.account and q.api = 'RegisterMedia'
             and q.scope in ('run:' || runs.run_id, 'migration:' || runs.migration) order by scope desc)
from runs where run_id = :run_id;

-- name: spec_digest$
-- The digest of the file that a run was made from.
select spec_digest from runs where run_id = :run_id;

-- name: finish_run!
-- The run has its verdict.
update runs set state = :state, finished_at = now(), summary = :summary where run_id = :run_id;
