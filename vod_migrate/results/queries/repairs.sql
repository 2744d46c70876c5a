-- What a reconciliation puts right. Each statement changes only facts that are still as they were read: settled at that moment.

-- name: mark_facts$
-- Objects that OSS no longer lists, or lists again. A gone object keeps its MediaId.
with marked as (
  update vod_migrate.objects o set gone = :gone
  from unnest(:keys::text[], :settled::timestamptz[]) as asked (key, settled_at)
  where o.source_id = :source_id and o.key = asked.key and o.settled_at = asked.settled_at
    and o.migration_id = :migration_id and o.registered and o.gone <> :gone
  returning o.key
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key)
  select :source_id, :run_no, case when :gone then 'gone' else 'returned' end, key from marked
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects)
  select :migration_id, 0, state, '', count(*) * case when gains = :gone then 1 else -1 end
  from marked, (values ('gone', true), ('registered', false)) as moved (state, gains)
  group by state, gains order by state
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects
)
select count(*) from marked;

-- name: forget_facts$
-- Objects whose fact no longer holds, so that a run may take them as new. What is forgotten stays in their history.
with forgotten as (
  delete from vod_migrate.objects o
  using unnest(:keys::text[], :settled::timestamptz[]) as asked (key, settled_at)
  where o.source_id = :source_id and o.key = asked.key and o.settled_at = asked.settled_at and o.migration_id = :migration_id
  returning o.key, o.registered, o.gone, o.code, o.media_id, o.settled_at, o.run_no, o.call_id
), replaced as (
  insert into vod_migrate.events (at, source_id, run_no, call_id, what, key)
  select settled_at, :source_id, run_no, call_id, 'registered', key from forgotten where registered
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key, message)
  select :source_id, :run_no, 'forgotten', key, 'MediaId ' || media_id from forgotten
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects)
  select :migration_id, 0, case when gone then 'gone' when registered then 'registered' else 'failed' end as state,
         case when gone or registered then '' else coalesce(code, 'no_code') end as code, -count(*)
  from forgotten group by 3, 4 order by 3, 4
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects
)
select count(*) from forgotten;

-- name: import_media$
-- Objects whose media VOD has and no fact names become registered facts, without a call. An object that has a fact meanwhile stays as it
-- is, unless it has failed; so does a MediaId that a fact of the account names.
with asked as materialized (
  select distinct on (media_id) key, media_id, size, etag, last_modified, storage_class
  from unnest(:keys::text[], :media_ids::text[], :sizes::bigint[], :etags::text[], :modified::timestamptz[], :classes::text[])
    as a (key, media_id, size, etag, last_modified, storage_class)
), free as materialized (
  select asked.* from asked
  cross join lateral (
    select min(o.key) as key
    from vod_migrate.sources mine join vod_migrate.sources s using (account)
    join vod_migrate.objects o
      on o.source_id::text || ' ' || o.media_id = s.source_id::text || ' ' || asked.media_id
    where mine.source_id = :source_id and (o.source_id, o.key) <> (:source_id, asked.key)
  ) holder
  where holder.key is null
), failed as materialized (
  select o.key, coalesce(o.code, 'no_code') as code from vod_migrate.objects o
  where o.source_id = :source_id and o.key = any(:keys::text[]) and o.migration_id = :migration_id and not o.registered and not o.gone
  for update
), fact as (
  insert into vod_migrate.objects as o (source_id, migration_id, run_no, registered, new_register, size, last_modified, key, etag,
                                        storage_class, media_id)
  select :source_id, :migration_id, :run_no, true, false, size, last_modified, key, etag, storage_class, media_id from free order by key
  on conflict (source_id, key) do update set
    run_no = excluded.run_no, registered = true, new_register = false, retries = 0, size = excluded.size,
    last_modified = excluded.last_modified, etag = excluded.etag, storage_class = excluded.storage_class, settled_at = now(),
    call_id = null, media_id = excluded.media_id, sent = null, code = null, message = null, attributes = null
  where exists (select 1 from failed f where f.key = o.key)
  returning key, media_id
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key) select :source_id, :run_no, 'imported', key from fact
), recorded as (
  delete from vod_migrate.library l using fact f where l.source_id = :source_id and l.media_id = f.media_id
), counted as (
  insert into vod_migrate.counts as c (run_no, worker_no, outcome, code, objects)
  select :run_no, 0, 'already_registered', '', count(*) from fact having count(*) > 0
  on conflict (run_no, worker_no, outcome, code) do update set objects = c.objects + excluded.objects
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects, first_key, last_key)
  select :migration_id, 0, state, code, sum(change), min(key), max(key) from (
    select 'registered' as state, '' as code, 1 as change, key from fact
    union all
    select 'failed', f.code, -1, null from failed f join fact using (key)
  ) changes group by state, code order by state, code
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects,
    first_key = least(t.first_key, excluded.first_key), last_key = greatest(t.last_key, excluded.last_key)
)
select count(*) from fact;

-- name: renew_waiting!
-- Facts came or went: what still waits for these objects is counted by its fact, or by itself again.
with changed as (
  update vod_migrate.work w set again = not w.again
  where w.source_id = :source_id and w.key = any(:keys::text[])
    and w.again <> exists (select 1 from vod_migrate.objects o where o.source_id = w.source_id and o.key = w.key)
  returning w.block_id, w.again
)
update vod_migrate.blocks b set again = b.again + c.change
from (select block_id, sum(case when again then 1 else -1 end) as change from changed group by block_id) c
where b.block_id = c.block_id and b.token is null;
