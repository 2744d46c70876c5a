-- What is done now and then, from the command line.

-- name: discard_queue$
-- A queue is given up; its work is deleted next. Its migration, or nothing where somebody works on it.
with doubted as (
  update vod_migrate.ranges set waiting = null where queue_no = :queue_no and waiting > 0
)
update vod_migrate.queues q set gate = 'discarded'
where q.queue_no = :queue_no and q.gate <> 'discarded'
  and (:anyway or not exists (select 1 from vod_migrate.live_runs l where l.queue_no = q.queue_no))
returning migration_id;

-- name: delete_discarded$
-- A part of the work of queues that were given up.
with chosen as (
  select block_id from vod_migrate.blocks b join vod_migrate.queues q using (queue_no)
  where q.gate = 'discarded' and q.migration_id = :migration_id limit 20
), work as (
  delete from vod_migrate.work w using chosen c where w.block_id = c.block_id returning 1
), gone as (
  delete from vod_migrate.blocks b using chosen c where b.block_id = c.block_id
)
select (select count(*) from work)::bigint where exists (select 1 from chosen);

-- name: migration_number$
-- The number of a migration.
select migration_id from vod_migrate.migrations where account = :account and name = :name;

-- name: rename_migration$
-- A migration takes another name, where nobody has it yet: its facts, its runs and its work go along.
update vod_migrate.migrations m set name = :new
where m.account = :account and m.name = :old
  and not exists (select 1 from vod_migrate.migrations other where other.account = :account and other.name = :new)
  and not exists (select 1 from vod_migrate.live_runs l where l.migration_id = m.migration_id)
returning (select coalesce(sum(t.objects), 0)::bigint from vod_migrate.totals t where t.migration_id = m.migration_id);

-- name: transfer_part^
-- A part of the facts of one migration goes over to another.
with chosen as materialized (
  select source_id, key, registered, gone, code from vod_migrate.objects
  where source_id = :source_id and migration_id = :old and key > :after order by key limit :most for update
), moved as (
  update vod_migrate.objects o set migration_id = :new from chosen c where o.source_id = c.source_id and o.key = c.key
), place as (
  insert into vod_migrate.migration_sources (migration_id, source_id) select distinct :new::int, source_id from chosen
  on conflict do nothing
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key, message)
  select source_id, 0, 'transferred', key, :message from chosen
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects, first_key, last_key)
  select owner, 0, state, code, sum(change), min(key), max(key) from (
    select :old::int as owner, case when gone then 'gone' when registered then 'registered' else 'failed' end as state,
           case when gone or registered then '' else coalesce(code, 'no_code') end as code, -1 as change, null as key from chosen
    union all
    select :new::int, case when gone then 'gone' when registered then 'registered' else 'failed' end,
           case when gone or registered then '' else coalesce(code, 'no_code') end, 1, key from chosen
  ) changes group by owner, state, code
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects,
    first_key = least(t.first_key, excluded.first_key), last_key = greatest(t.last_key, excluded.last_key)
)
select count(*) as objects, max(key) as until from chosen;

-- name: sources_of_migration
-- The buckets that a migration may have facts in.
select source_id from vod_migrate.migration_sources where migration_id = :migration_id;

-- name: migration_is_live$
-- Whether a run of a migration is under way.
select exists (select 1 from vod_migrate.live_runs where migration_id = :migration_id);

-- name: prunable_runs
-- Runs that ended before a moment and still have audit.
select r.run_no from vod_migrate.runs r
where r.state <> 'running' and coalesce(r.finished_at, r.created_at) < :before
  and (exists (select 1 from vod_migrate.calls c where c.run_no = r.run_no)
       or exists (select 1 from vod_migrate.rates t where t.run_no = r.run_no)
       or not exists (select 1 from vod_migrate.objects o where o.run_no = r.run_no))
order by r.run_no limit :most;

-- name: prune_calls!
-- A part of the calls of a run.
delete from vod_migrate.calls where call_id = any(array(select call_id from vod_migrate.calls where run_no = :run_no limit :most));

-- name: prune_run!
-- The rest of the audit of a run. The run itself, its file and its window stay as long as a fact, or work that is left, names it; of a
-- plan that was interrupted nothing stays.
with rates as (
  delete from vod_migrate.rates where run_no = :run_no
), places as (
  delete from vod_migrate.workers where run_no = :run_no
), causes as (
  delete from vod_migrate.diagnoses where run_no = :run_no
), deeds as (
  delete from vod_migrate.actions where run_no = :run_no
), unnamed as (
  delete from vod_migrate.runs r
  where r.run_no = :run_no and not exists (select 1 from vod_migrate.objects o where o.run_no = r.run_no)
    and not exists (select 1 from vod_migrate.blocks b where b.queue_no = r.queue_no)
  returning run_no, queue_no
), links as (
  delete from vod_migrate.reruns l using unnamed u where u.run_no in (l.run_no, l.parent_no)
), notices as (
  delete from vod_migrate.notices n using unnamed u where n.run_no = u.run_no
), counts as (
  delete from vod_migrate.counts c using unnamed u where c.run_no = u.run_no
), scans as (
  delete from vod_migrate.scans s using unnamed u where s.run_no = u.run_no returning s.scan_id
), absent as (
  delete from vod_migrate.missing m using scans s where m.scan_id = s.scan_id
), plans as (
  delete from vod_migrate.plans p using unnamed u where p.run_no = u.run_no
), verifications as (
  delete from vod_migrate.verifications v using unnamed u where v.run_no = u.run_no
)
delete from vod_migrate.queues q using unnamed u
where q.queue_no = u.queue_no
  and not exists (select 1 from vod_migrate.runs other where other.queue_no = q.queue_no and other.run_no <> u.run_no);

-- name: prune_events!
-- A part of the events before a moment.
delete from vod_migrate.events where ctid = any(array(select ctid from vod_migrate.events where at < :before limit :most));

-- name: recount!
-- The totals of every migration, counted anew.
with old as (
  delete from vod_migrate.totals
)
insert into vod_migrate.totals (migration_id, worker_no, state, code, objects, first_key, last_key)
select migration_id, -1, state, code, count(*), min(key), max(key) from (
  select migration_id, key, case when gone then 'gone' when registered then 'registered' else 'failed' end as state,
         case when gone or registered then '' else coalesce(code, 'no_code') end as code
  from vod_migrate.objects
) facts group by migration_id, state, code;
