-- The first objects of a migration: sent alone, looked at, and then the rest.

-- name: first_of_migration^
-- How far the first objects of a migration are, and whether somebody works on them; locked.
select f.state, f.since, f.held_by, exists (select 1 from vod_migrate.live_runs l where l.run_no = f.held_by) as held
from vod_migrate.firsts f where f.migration_id = :migration_id for update;

-- name: begin_first$
-- The first run of a migration takes on its first objects.
insert into vod_migrate.firsts (migration_id, state, held_by) values (:migration_id, 'open', :run_no)
on conflict do nothing returning since;

-- name: hold_first$
-- A run goes on with the first objects, or begins anew where too many could not be played.
update vod_migrate.firsts
set since = case when state = 'failed' then now() else since end, sent_at = case when state = 'failed' then null else sent_at end,
    state = 'open', held_by = :run_no
where migration_id = :migration_id returning since;

-- name: close_first!
-- The first objects were looked at.
update vod_migrate.firsts set state = :state where migration_id = :migration_id;

-- name: first_sent$
-- All first objects have been sent. When that was, by the database's clock.
update vod_migrate.firsts set sent_at = coalesce(sent_at, now()) where migration_id = :migration_id returning sent_at;

-- name: settled_since^
-- What a migration has settled since a moment: in all, and failed.
select count(*) as settled, count(*) filter (where not o.registered) as failed
from vod_migrate.runs r join vod_migrate.objects o using (run_no)
where r.migration_id = :migration_id and coalesce(r.finished_at, 'infinity') >= :since and o.settled_at >= :since
  and not starts_with(coalesce(o.code, ''), 'row_');

-- name: facts_before$
-- How many objects a migration has settled, without those of one run, as its totals say.
select coalesce((select sum(objects) from vod_migrate.totals where migration_id = :migration_id), 0)::bigint
       - coalesce((select sum(objects) from vod_migrate.counts where run_no = :run_no), 0)::bigint;

-- name: first_is_ahead$
-- Whether the first objects of a migration are still to be looked at.
select coalesce((select state in ('open', 'failed') from vod_migrate.firsts where migration_id = :migration_id),
                (select coalesce(sum(objects), 0) < :most from vod_migrate.totals where migration_id = :migration_id));

-- name: free_dead_blocks!
-- What those held who are gone is free; whether it was sent is not known.
with freed as (
  update vod_migrate.blocks b set token = null, (objects, again) = (
    select count(*), count(*) filter (where w.again) from vod_migrate.work w where w.block_id = b.block_id)
  where b.queue_no = :queue_no and b.token is not null
    and not exists (select 1 from vod_migrate.workers w where w.token = b.token and w.expires_at > now())
  returning block_id
)
update vod_migrate.work w set unsure = true from freed where w.block_id = freed.block_id and not w.unsure;

-- name: spread_blocks
-- Free blocks of a run's open queue, at most so many, spread evenly over it.
with free as materialized (
  select block_id, row_number() over (order by block_id) as place, count(*) over () as blocks
  from vod_migrate.blocks
  where queue_no = :queue_no and not alone and token is null and objects > 0
    and exists (select 1 from vod_migrate.workers w where w.token = :token and w.expires_at > now())
    and exists (select 1 from vod_migrate.queues q where q.queue_no = :queue_no and q.gate = 'open')
)
select b.block_id from vod_migrate.blocks b join free using (block_id)
where (free.place * :most) / free.blocks > ((free.place - 1) * :most) / free.blocks
order by b.block_id for update of b skip locked;

-- name: set_apart$
-- Some objects of each of some free blocks, drawn by their keys, move into blocks of their own, which the worker holds.
with chosen as materialized (
  select w.source_id, w.key, w.queue_no, w.block_id, w.again, b.scan_id,
         (row_number() over (partition by b.scan_id order by w.block_id, w.key) - 1) / 500 as part
  from unnest(:block_ids::bigint[]) with ordinality as picked (block_id, place)
  join vod_migrate.blocks b on b.block_id = picked.block_id
  cross join lateral (
    select * from vod_migrate.work w where w.block_id = picked.block_id order by hashtextextended(w.key, 0), w.key
    limit :each + (picked.place <= :one_more)::int
  ) w
), parts as materialized (
  select scan_id, part, count(*) as objects, count(*) filter (where again) as again,
         row_number() over (order by scan_id, part) as place
  from chosen group by scan_id, part
), made as (
  insert into vod_migrate.blocks (queue_no, scan_id, objects, again, taken_by, token)
  select :queue_no, scan_id, objects, again, :run_no, :token from parts order by place returning block_id
), placed as (
  select block_id, row_number() over (order by block_id) as place from made
), moved as (
  update vod_migrate.work w set block_id = placed.block_id
  from chosen c join parts p on p.part = c.part and p.scan_id is not distinct from c.scan_id join placed using (place)
  where w.source_id = c.source_id and w.key = c.key and w.queue_no = c.queue_no
), shrunk as (
  update vod_migrate.blocks b set objects = b.objects - c.objects, again = b.again - c.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again from chosen group by block_id) c
  where b.block_id = c.block_id
)
select count(*) from chosen;
