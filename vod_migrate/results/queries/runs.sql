-- Runs and their queues: begun, watched, told to end, finished.

-- name: keep_migration$
-- The number of a migration, made at its first run.
with known as (
  select migration_id from vod_migrate.migrations where account = :account and name = :name
), made as (
  insert into vod_migrate.migrations (account, name) select :account, :name where not exists (select 1 from known)
  on conflict (account, name) do update set name = excluded.name returning migration_id  -- made by somebody else in this moment
)
select migration_id from known union all select migration_id from made;

-- name: keep_source$
-- The number of a bucket, made at its first run.
with known as (
  select source_id from vod_migrate.sources where account = :account and bucket = :bucket
), made as (
  insert into vod_migrate.sources (account, bucket) select :account, :bucket where not exists (select 1 from known)
  on conflict (account, bucket) do update set bucket = excluded.bucket returning source_id  -- made by somebody else in this moment
)
select source_id from known union all select source_id from made;

-- name: see_migration!
-- A DAG runs a migration on a bucket; '' for the command line.
with place as (
  insert into vod_migrate.migration_sources (migration_id, source_id) values (:migration_id, :source_id) on conflict do nothing
)
insert into vod_migrate.migration_dags (migration_id, dag_id) values (:migration_id, :dag_id) on conflict do nothing;

-- name: insert_queue$
-- The work of a run that begins.
insert into vod_migrate.queues (migration_id, source_id, mode, gate, plan_queue)
values (:migration_id, :source_id, :mode, :gate, :plan_queue) returning queue_no;

-- name: insert_run$
-- A run begins; two tasks that prepare the same one at once make one row.
insert into vod_migrate.runs (run_id, migration_id, source_id, queue_no, region, mode, options, spec, spec_digest, local_date, origin,
                              dag_id, dag_run_id, task_group, execution)
values (:run_id, :migration_id, :source_id, :queue_no, :region, :mode, :options, :spec, :spec_digest, :local_date, :origin,
        :dag_id, :dag_run_id, :task_group, :execution)
on conflict do nothing returning run_no;

-- name: get_run^
-- One run.
select r.run_id, r.run_no, r.queue_no, r.migration_id, r.source_id, m.account, m.name as migration, s.bucket, r.mode, r.options, r.spec,
       r.spec_digest, r.local_date, r.origin, r.dag_id, r.dag_run_id, r.task_group, r.state, r.stop_code, r.stop_message, r.created_at, r.finished_at,
       r.summary, r.region, r.reopened_at, q.gate
from vod_migrate.runs r
join vod_migrate.migrations m using (migration_id)
join vod_migrate.sources s on s.source_id = r.source_id
join vod_migrate.queues q on q.queue_no = r.queue_no
where r.run_id = :run_id;

-- name: run_of_origin^
-- The newest run that an Airflow DAG run prepared.
select run_id, execution, state from vod_migrate.runs
where dag_id = :dag_id and dag_run_id = :dag_run_id and task_group = :task_group
order by execution desc limit 1;

-- name: living_holders
-- Who holds the leases of the runs under way: of one run, or of a migration.
select distinct w.host, w.token from vod_migrate.workers w join vod_migrate.runs r using (run_no)
where r.state = 'running' and w.expires_at > now() and (r.run_id = :run_id or r.migration_id = :migration_id);

-- name: expire_leases!
-- Leases whose processes have ended.
update vod_migrate.workers set expires_at = now() where token = any(:tokens::uuid[]) and expires_at > now();

-- name: close_dead_runs!
-- Runs of this migration that were killed are shown as interrupted, and their own rate ends with them.
with dead as (
  update vod_migrate.runs r set state = 'interrupted', finished_at = now()
  where migration_id = :migration_id and run_no <> :run_no and state = 'running'
    and not exists (select 1 from vod_migrate.live_runs l where l.run_no = r.run_no)
  returning run_id, migration_id
)
delete from vod_migrate.quotas q using dead join vod_migrate.migrations m using (migration_id)
where q.account = m.account and q.scope = 'run:' || dead.run_id;

-- name: latest_run_id$
-- The newest run of a migration; one that only repaired results has neither listed nor sent anything, and one that planned sends nothing.
select r.run_id from vod_migrate.runs r join vod_migrate.migrations m using (migration_id)
where m.name = :migration and (:account::text is null or m.account = :account)
  and not (:sends and r.state = 'planned')
  and (r.mode <> 'new' or coalesce((r.summary ->> 'calls')::bigint, 1) > 0
       or exists (select 1 from vod_migrate.scans s where s.run_no = r.run_no))
order by r.created_at desc, r.run_no desc limit 1;

-- name: list_run_ids
-- The newest runs, of one migration or of all.
select r.run_id from vod_migrate.runs r join vod_migrate.migrations m using (migration_id)
where (:migration::text is null or m.name = :migration)
order by r.created_at desc, r.run_no desc limit :most;

-- name: reopen_run!
-- A single task of a finished run was cleared: its verdict is forgotten, what it did is not. What it had counted so far is the base of its
-- new threshold.
with opened as (
  update vod_migrate.queues q set gate = 'open'
  from vod_migrate.runs r
  where r.run_id = :run_id and q.queue_no = r.queue_no and q.gate = 'done'
)
update vod_migrate.runs r
set state = 'running', stop_code = null, stop_message = null, stopped_by = null, finished_at = null, summary = null, reopened_at = now(),
    taken_objects = 0, made_calls = 0, counted_before = (
      select coalesce(jsonb_object_agg(outcome || ' ' || code, objects), '{}')
      from (select outcome, code, sum(objects) as objects from vod_migrate.counts c where c.run_no = r.run_no group by 1, 2) counted
    )
where run_id = :run_id and state <> 'running';

-- name: stop_run!
-- The first worker that finds out why the run must stop writes it down for all.
update vod_migrate.runs set stop_code = :code, stop_message = :message
where run_id = :run_id and state = 'running' and stop_code is null;

-- name: ask_to_end$
-- A person pauses or cancels a run that works. It may be about to pause for another reason; cancelling is above pausing.
update vod_migrate.runs set stop_code = :code, stop_message = :message, stopped_by = :by
where run_id = :run_id and state = 'running'
  and (stop_code is null or stop_code in ('window', 'pause_after') or (stop_code = 'paused' and :code = 'cancelled'))
returning run_id;

-- name: cancel_paused$
-- A paused run is cancelled: its numbers stay as they are.
update vod_migrate.runs set state = 'cancelled', stop_code = :code, stop_message = :message, stopped_by = :by,
                            summary = jsonb_set(summary, '{state}', '"cancelled"')
where run_id = :run_id and state = 'paused'
returning run_id;

-- name: run_is_live$
-- Whether somebody works on a run.
select exists (select 1 from vod_migrate.live_runs join vod_migrate.runs using (run_no) where run_id = :run_id);

-- name: run_signal^
-- What a run's workers look at every second: whether it goes on, the database's clock, and the rates of its own.
select r.state, r.stop_code, r.stop_message, clock_timestamp() as now,
       array(select scope from vod_migrate.quotas q
             where q.account = m.account and q.api = 'RegisterMedia' and q.scope in ('run:' || r.run_id, 'migration:' || m.name)
             order by scope desc) as scopes
from vod_migrate.runs r join vod_migrate.migrations m using (migration_id)
where r.run_id = :run_id;

-- name: note_rate!
-- A run's own rate, as its report names it.
update vod_migrate.runs
set options = case when :rate::float8 is null then options - 'calls_per_second'
                   else options || jsonb_build_object('calls_per_second', :rate::float8) end
where run_id = :run_id;

-- name: claim_notice$
-- Whether a receiver is still to be told of an event of a run; from now on it is not.
insert into vod_migrate.notices (run_no, opened_at, event, receiver)
select run_no, reopened_at, :event, :receiver from vod_migrate.runs where run_no = :run_no
on conflict do nothing returning true;

-- name: finish_run!
-- The run has its verdict; its queue is done when nothing is left in it.
with done as (
  update vod_migrate.queues q set gate = 'done'
  from vod_migrate.runs r
  where r.run_no = :run_no and q.queue_no = r.queue_no and q.gate = 'open'
    and not exists (select 1 from vod_migrate.blocks b where b.queue_no = q.queue_no)
)
update vod_migrate.runs set state = :state, finished_at = now(), summary = :summary where run_no = :run_no;

-- name: queue_failed$
-- Mode failed: the migration's failed objects become work, without listing; they stay failed until they are settled anew. A broken row
-- is left alone: only its manifest can mend it. Called again until it queues nothing. The run is linked to those that failed them.
with chosen as materialized (
  select o.run_no, o.key, o.size, o.etag, o.last_modified, o.storage_class, o.attributes, (row_number() over (order by o.key) - 1) / 500 as part
  from vod_migrate.objects o
  where o.source_id = :source_id and o.migration_id = :migration_id and not o.registered and not o.gone
    and not starts_with(coalesce(o.code, ''), 'row_')
    and (:codes::text[] is null or coalesce(o.code, 'no_code') = any(:codes::text[]) or exists (
      select 1 from vod_migrate.diagnoses d where d.run_no = o.run_no and d.key = o.key and d.cause = any(:codes::text[])))
    and (:prefixes::text[] is null or exists (select 1 from unnest(:prefixes::text[]) p where starts_with(o.key, p)))
    and (:since::timestamptz is null or o.last_modified >= :since)
    and not exists (
      select 1 from vod_migrate.work w
      where w.source_id = o.source_id and w.key = o.key
        and (w.queue_no = :queue_no or w.queue_no in (
          select l.queue_no from vod_migrate.live_runs l join vod_migrate.queues q using (queue_no) where q.gate = 'open'))
    )
  order by o.key limit :most
), made as (
  insert into vod_migrate.blocks (queue_no, objects, again)
  select :queue_no, count(*), count(*) from chosen group by part order by part returning block_id
), block as (
  select block_id, row_number() over (order by block_id) - 1 as part from made
), queued as (
  insert into vod_migrate.work (source_id, queue_no, block_id, size, last_modified, again, key, etag, storage_class, attributes)
  select :source_id, :queue_no, block_id, size, last_modified, true, key, etag, storage_class, attributes
  from chosen join block using (part)
  returning 1
), linked as (
  insert into vod_migrate.reruns as r (run_no, parent_no, objects)
  select :run_no, run_no, count(*) from chosen group by run_no
  on conflict (run_no, parent_no) do update set objects = r.objects + excluded.objects
)
select count(*) from queued;
