-- The numbers of a run.

-- name: outcome_counts
-- What a run did so far: objects by outcome, failed ones by code.
select outcome, code, sum(objects)::bigint as objects from vod_migrate.counts
where run_no = :run_no group by outcome, code having sum(objects) <> 0;

-- name: counted_before$
-- What it had done before one of its tasks was cleared.
select counted_before from vod_migrate.runs where run_no = :run_no;

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

-- name: alike_among
-- Those of some objects without a fact whose size and etag are those of a registered one, with its key: rather of one that is gone.
select listed.key, o.key as other, o.gone
from unnest(:keys::text[], :sizes::bigint[], :etags::text[]) as listed (key, size, etag)
cross join lateral (
  select o.key, o.gone from vod_migrate.objects o
  where o.source_id = :source_id and hashtext(o.etag) = hashtext(listed.etag) and o.registered and o.etag is not null and o.size >= 65536
    and o.etag = listed.etag and o.size = listed.size and o.key <> listed.key
  order by o.gone desc, o.key limit 1
) o
where not exists (select 1 from vod_migrate.objects f where f.source_id = :source_id and f.key = listed.key);

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
  select coalesce(sum(case when b.token is null then b.objects
                           else (select count(*) from vod_migrate.work w where w.block_id = b.block_id) end), 0)::bigint as pending
  from vod_migrate.blocks b where b.queue_no = :queue_no
) left_over, vod_migrate.quotas r
where r.account = :account and r.api = :api and r.scope = ''
  and (:anyway or :worker_no = (
    select min(w.worker_no) from vod_migrate.workers w
    where w.run_no = :run_no and w.expires_at > now() and w.slot not in ('prepare', 'discover')));

-- name: registered_among
-- Those of some keys of a bucket that have been registered.
select o.key from vod_migrate.sources s join vod_migrate.objects o using (source_id)
where s.account = :account and s.bucket = :bucket and o.key = any(:keys::text[]) and o.registered;
