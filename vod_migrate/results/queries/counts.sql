-- The numbers of a run.

-- name: outcome_counts
-- What a run did so far: objects by outcome, failed ones by code. before: how many of them before one of its tasks was cleared.
select c.outcome, c.code, sum(c.objects)::bigint as objects,
       coalesce(r.counted_before ->> (c.outcome || ' ' || c.code), '0')::bigint as before
from vod_migrate.counts c join vod_migrate.runs r using (run_no)
where run_no = :run_no group by c.outcome, c.code, r.counted_before having sum(c.objects) <> 0;

-- name: alone_left$
-- How many objects were refused once and wait for their second try.
select count(*) from vod_migrate.blocks b join vod_migrate.work w using (block_id) where b.queue_no = :queue_no and b.alone;

-- name: proven$
-- Whether a run's settings have proven themselves: in this run, or in an earlier one of exactly the same file.
select exists (
  select 1 from vod_migrate.runs mine
  join vod_migrate.runs alike on alike.migration_id = mine.migration_id and alike.spec_digest = mine.spec_digest
  where mine.run_no = :run_no and exists (
    select 1 from vod_migrate.counts c
    where c.run_no = alike.run_no and c.outcome in ('registered', 'already_registered') and c.objects > 0)
);

-- name: accepted_since$
-- Whether VOD took a call of a run that began after a moment.
select exists (select 1 from vod_migrate.calls where run_no = :run_no and started_at > :since and answer = 'ok');

-- name: call_counts
-- The calls of a run by how they were answered.
select answer, sum(calls)::bigint as calls from vod_migrate.rates where run_no = :run_no group by answer;

-- name: pending_counts^
-- What a queue still holds: in all, and of unknown outcome (marked, or in the hands of somebody who is gone). Blocks that nobody holds know
-- their number.
select coalesce(sum(objects), 0)::bigint as objects, coalesce(sum(unsure), 0)::bigint as unsure
from (
  select b.objects, 0 as unsure from vod_migrate.blocks b where b.queue_no = :queue_no and b.token is null
  union all
  select (select count(*) from vod_migrate.work w where w.block_id = b.block_id),
         case when exists (select 1 from vod_migrate.workers h where h.token = b.token and h.expires_at > now()) then 0
              else (select count(*) from vod_migrate.work w where w.block_id = b.block_id and not w.unsure) end
  from vod_migrate.blocks b where b.queue_no = :queue_no and b.token is not null
  union all
  select 0, count(*) from vod_migrate.work w where w.queue_no = :queue_no and w.unsure
) parts;

-- name: run_gauges^
-- What a run has left to send, for how many seconds the oldest of it has been there (since its listing began, or else its queue was made),
-- and the account's rate and the share of it in force. No row for a worker that is not the first living one of its run, unless `anyway`.
select left_over.pending,
       coalesce((
         select greatest(0, extract(epoch from now() - coalesce(s.started_at, q.made_at)))
         from vod_migrate.blocks b join vod_migrate.queues q using (queue_no) left join vod_migrate.scans s using (scan_id)
         where b.queue_no = :queue_no and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)
         order by b.alone, b.block_id limit 1
       ), 0)::float8 as oldest_pending_age,
       r.rate, vod_migrate.share(r.factor, r.cut_at) as rate_share
from (
  select coalesce(sum(objects), 0)::bigint as pending from vod_migrate.pending where queue_no = :queue_no
) left_over, vod_migrate.quotas r
where r.account = :account and r.api = :api and r.scope = ''
  and (:anyway or :worker_no = (
    select min(w.worker_no) from vod_migrate.workers w
    where w.run_no = :run_no and w.expires_at > now() and w.slot not in ('prepare', 'discover')));
