-- Ranges: what a listing found, for the next one to go by.

-- name: known_ranges
-- The next ranges of a prefix after a key. settled: nothing in it waits, and nothing is decided otherwise by now.
select until, listed, digest, told, coalesce(waiting = 0 and rules = :rules and (due is null or due > now()), false) as settled
from vod_migrate.ranges
where migration_id = :migration_id and source_id = :source_id and prefix = :prefix and until > :after
order by until limit :most;

-- name: settled_ranges$
-- How many of some ranges are still settled.
select count(*) from vod_migrate.ranges
where migration_id = :migration_id and source_id = :source_id and prefix = :prefix and until = any(:until::text[])
  and waiting = 0 and rules = :rules;

-- name: replace_ranges!
-- A stretch of a prefix was merged: what was known about it makes room. until: null to the end of the prefix.
delete from vod_migrate.ranges
where migration_id = :migration_id and source_id = :source_id and prefix = :prefix and until > :after
  and (:until::text is null or until <= :until);

-- name: keep_range!
-- A merged page is a range. It is in doubt from the first while another run may still send an object of it, perhaps one that was not listed,
-- or a worker of this run sends one as it was queued, which may not be as it was listed now.
insert into vod_migrate.ranges (migration_id, source_id, prefix, until, after, queue_no, waiting, listed, due, digest, rules, told)
select :migration_id, :source_id, :prefix, :until, :after, :queue_no,
       case when not exists (
         select 1 from vod_migrate.work w join vod_migrate.queues q using (queue_no) join vod_migrate.blocks b using (block_id)
         where w.source_id = :source_id and w.key > :after and w.key <= :until
           and case when w.queue_no = :queue_no then b.token is not null
                else b.token is not null or q.gate in ('open', 'approving') end) then :waiting::integer end,
       :listed, :due, :digest, :rules, :told;

-- name: doubt_ranges!
-- Objects between two keys were queued otherwise: the ranges that they may belong to are merged again. prefix: whose ranges are none of these.
-- Prefix by prefix, each from the index: a first night asks this for every page.
with recursive prefixes as (
  (select prefix from vod_migrate.ranges where migration_id = :migration_id and source_id = :source_id order by prefix limit 1)
  union all
  select (select r.prefix from vod_migrate.ranges r
          where r.migration_id = :migration_id and r.source_id = :source_id and r.prefix > p.prefix order by r.prefix limit 1)
  from prefixes p where p.prefix is not null
), touched as materialized (
  select p.prefix, coalesce((
    select b.until from vod_migrate.ranges b
    where b.migration_id = :migration_id and b.source_id = :source_id and b.prefix = p.prefix and b.until >= :last
    order by b.until limit 1), :last) as last
  from prefixes p where p.prefix is not null and p.prefix is distinct from :prefix
)
update vod_migrate.ranges r set waiting = null
from touched t
where r.migration_id = :migration_id and r.source_id = :source_id and r.prefix = t.prefix and r.until >= :first and r.until <= t.last
  and r.waiting is not null;

-- name: doubt_source!
-- Facts of a bucket changed otherwise than by being settled: every range of it is merged again.
update vod_migrate.ranges set waiting = null where source_id = :source_id and waiting is not null;

-- name: doubt_failed!
-- Failed objects are sent again without a listing: the ranges that hold some are merged again.
update vod_migrate.ranges set waiting = null
where migration_id = :migration_id and source_id = :source_id and waiting is not null and told -> 'counts' ? 'failed_before';

-- name: drop_other_ranges!
-- Prefixes that a migration no longer lists.
delete from vod_migrate.ranges
where migration_id = :migration_id and source_id = :source_id and prefix <> all(:prefixes::text[]);

-- name: settle_ranges^
-- A run ended: the ranges of its queue in which nothing waits any more tell what became of it. A failed object that is tried again later,
-- an object without a fact, or a fact without an object leaves its range to be merged again.
with part as materialized (
  select r.prefix, r.until, r.after, r.waiting from vod_migrate.ranges r
  where r.queue_no = :queue_no and r.waiting > 0 and (r.prefix, r.until) > (:prefix, :until) order by r.prefix, r.until limit :most
), idle as materialized (
  select part.* from part where not exists (
    select 1 from vod_migrate.work w
    where w.source_id = :source_id and w.queue_no = :queue_no and w.key > part.after and w.key <= part.until)
), met as materialized (
  select i.prefix, i.until, i.waiting, f.registered, f.failed, f.facts from idle i
  cross join lateral (
    select count(*) as facts, count(*) filter (where ours and registered) as registered,
           count(*) filter (where ours and not registered and retries >= :retry_failed) as failed
    from (
      select o.registered, o.retries, o.run_no in (select run_no from vod_migrate.runs where queue_no = :queue_no) as ours
      from vod_migrate.objects o
      where o.source_id = :source_id and o.key > i.after and o.key <= i.until and o.migration_id = :migration_id and not o.gone
        and not starts_with(coalesce(o.code, ''), 'row_')
    ) found
  ) f
), settled as (
  update vod_migrate.ranges r
  set waiting = case when m.registered + m.failed = r.waiting
        and m.facts <= r.waiting + coalesce((r.told -> 'counts' ->> 'unchanged')::bigint, 0)
          + coalesce((r.told -> 'counts' ->> 'changed')::bigint, 0) + coalesce((r.told -> 'counts' ->> 'failed_before')::bigint, 0)
        then 0 end,
      told = jsonb_set(r.told, '{counts}', jsonb_strip_nulls(
        (r.told -> 'counts') - array['queued', 'queued_again', 'adopted'] || jsonb_build_object(
          'unchanged', nullif(coalesce((r.told -> 'counts' ->> 'unchanged')::bigint, 0) + m.registered, 0),
          'failed_before', nullif(coalesce((r.told -> 'counts' ->> 'failed_before')::bigint, 0) + m.failed, 0))))
  from met m
  where r.migration_id = :migration_id and r.source_id = :source_id and r.prefix = m.prefix and r.until = m.until
)
select prefix, until from part order by prefix desc, until desc limit 1;
