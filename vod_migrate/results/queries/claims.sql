-- Who is alive, and who holds what.

-- name: take_place^
-- A worker takes its place in a run, and that of a predecessor in the same slot: what that held is free.
with before as materialized (
  select token from vod_migrate.workers where run_no = :run_no and slot = :slot
), ended as (
  update vod_migrate.workers w set expires_at = now()
  from before where w.run_no = :run_no and w.token = before.token and w.slot <> :slot and w.token <> :token
), begun as (
  -- The first worker has begun, so the run needs the lease of its preparation no more.
  update vod_migrate.workers set expires_at = now()
  where run_no = :run_no and slot = 'prepare' and :slot not in ('prepare', 'discover') and expires_at > now()
)
insert into vod_migrate.workers (run_no, slot, worker_no, token, host, expires_at)
select :run_no, :slot, coalesce(max(worker_no) + 1, 0), :token, :host, now() + make_interval(secs => :lease)
from vod_migrate.workers where run_no = :run_no
on conflict (run_no, slot) do update set token = excluded.token, host = excluded.host, expires_at = excluded.expires_at
returning worker_no, (select token from before where token <> :token) as displaced;

-- name: release_displaced!
-- What a displaced worker held goes back; whether it was sent is not known.
with freed as (
  update vod_migrate.blocks b set token = null, (objects, again) = (
    select count(*), count(*) filter (where w.again) from vod_migrate.work w where w.block_id = b.block_id)
  where b.token = :token returning block_id
)
update vod_migrate.work w set unsure = true from freed where w.block_id = freed.block_id and not w.unsure;

-- name: take_role$
-- A worker takes a role in its run, where nobody else holds it.
insert into vod_migrate.workers as mine (run_no, slot, worker_no, token, host, expires_at)
values (:run_no, :role, :worker_no, :token, '', now() + make_interval(secs => :lease))
on conflict (run_no, slot) do update
set token = excluded.token, worker_no = excluded.worker_no, expires_at = excluded.expires_at
where mine.token = excluded.token or mine.expires_at <= now()
returning 1;

-- name: drop_role!
-- A worker gives a role back.
update vod_migrate.workers set expires_at = now() where run_no = :run_no and slot = :role and token = :token;

-- name: renew$
-- The worker still works; 0: somebody took its place.
with mine as (
  update vod_migrate.workers set expires_at = now() + make_interval(secs => :lease)
  where token = :token and (slot = :slot or expires_at > now())
  returning slot
)
select count(*) from mine where slot = :slot;

-- name: leave!
-- A worker lets go of everything it holds; what is in flight is of unknown outcome.
with place as (
  update vod_migrate.workers set expires_at = now() where token = :token
), flying as (
  update vod_migrate.work set unsure = true
  where source_id = :source_id and queue_no = :queue_no and key = any(:in_flight::text[]) and not unsure
)
update vod_migrate.blocks b set token = null, (objects, again) = (
  select count(*), count(*) filter (where w.again) from vod_migrate.work w where w.block_id = b.block_id)
where b.token = :token;

-- name: release_blocks!
-- Some of a worker's blocks go back to the others.
update vod_migrate.blocks b set token = null, (objects, again) = (
  select count(*), count(*) filter (where w.again) from vod_migrate.work w where w.block_id = b.block_id)
where b.block_id = any(:block_ids::bigint[]) and b.token = :token;

-- name: free_blocks
-- Blocks of a run's open queue that no living worker holds, the oldest first; nothing for a worker that has lost its place. Blocks under
-- its own token that it does not know of (the answer to an earlier claim was lost) are handed out again. Its own empty blocks go.
-- last: the newest first; that sorts them all, which a worker asks for only while VOD refuses everything. Otherwise the case is a constant
-- for the planner, and the index has the order.
with finished as (
  delete from vod_migrate.blocks b
  where b.token = :token and not exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)
)
select block_id, objects, taken_by from vod_migrate.blocks b
where b.queue_no = :queue_no and b.alone = :alone
  and (b.token is null
       or b.token = :token and b.block_id <> all(:known::bigint[])
          and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)
       or b.token <> :token and not exists (select 1 from vod_migrate.workers w where w.token = b.token and w.expires_at > now()))
  and exists (select 1 from vod_migrate.workers w where w.token = :token and w.expires_at > now())
  and exists (select 1 from vod_migrate.queues q where q.queue_no = :queue_no and q.gate = 'open')
order by case when :last then -block_id end, block_id limit :most for update skip locked;

-- name: taken_objects$
-- How many objects the run has taken so far, under a lock.
select taken_objects from vod_migrate.runs where run_no = :run_no for update;

-- name: note_taken!
-- The run has taken some more.
update vod_migrate.runs set taken_objects = taken_objects + :objects where run_no = :run_no;

-- name: hold_blocks!
-- The worker holds some blocks from now on.
update vod_migrate.blocks set token = :token, taken_by = :run_no where block_id = any(:block_ids::bigint[]);

-- name: cut_block!
-- What max_objects does not allow of a block goes back as a block of its own.
with chosen as (
  select source_id, key, queue_no, scan_id, w.again from vod_migrate.work w join vod_migrate.blocks using (block_id, queue_no)
  where block_id = :block_id order by key desc limit :too_many
), rest as (
  insert into vod_migrate.blocks (queue_no, scan_id, objects, again)
  select queue_no, min(scan_id), count(*), count(*) filter (where again) from chosen group by queue_no returning block_id
)
update vod_migrate.work w set block_id = rest.block_id
from chosen, rest where w.source_id = chosen.source_id and w.key = chosen.key and w.queue_no = chosen.queue_no;

-- name: work_of_blocks
-- The objects of some blocks, by key.
select block_id, key, size, etag, last_modified, storage_class, attributes, attempts, no_answers
from vod_migrate.work where block_id = any(:block_ids::bigint[]) order by block_id, key;

-- name: blocks_held
-- Every block under a token.
select block_id from vod_migrate.blocks where token = :token;

-- name: still_held
-- Which of some keys the worker may still send.
select w.key from vod_migrate.work w join vod_migrate.blocks b using (block_id)
where w.source_id = :source_id and w.queue_no = :queue_no and w.key = any(:keys::text[]) and b.token = :token;

-- name: work_left^
-- What keeps a run open: scans not closed, objects to send (and whether the run has taken some of them), objects to be tried alone. A queue
-- whose gate is closed has nothing to send.
-- Blocks that the asking worker has emptied are no work.
select (select count(*) from vod_migrate.scans where run_no = :run_no and state = 'open') as open_scans,
       q.gate = 'open' and exists (
         select 1 from vod_migrate.blocks b where b.queue_no = :queue_no and not b.alone
           and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)) as waiting,
       exists (
         select 1 from vod_migrate.blocks b where b.queue_no = :queue_no and not b.alone and b.taken_by = :run_no
           and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)) as taken,
       q.gate = 'open' and exists (
         select 1 from vod_migrate.blocks b where b.queue_no = :queue_no and b.alone
           and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)) as alone
from vod_migrate.queues q where q.queue_no = :queue_no;

-- name: take_call$
-- One more call of a run, as far as its max_calls allows.
update vod_migrate.runs set made_calls = made_calls + 1 where run_no = :run_no and made_calls < :most returning made_calls;
