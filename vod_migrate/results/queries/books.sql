-- The facts of a bucket, and the media of its files that no fact names, to be held against what OSS lists and what VOD says.

-- name: facts_of_keys
-- What is known about some keys, whoever owns it. drawn: whether the object is in the random part.
select o.key, o.migration_id = :migration_id as own, m.name as migration, o.registered, o.gone, o.size, o.etag, o.media_id, o.code,
       o.settled_at, o.settled_at > now() - make_interval(secs => :recent) as recent,
       :millionths >= :all_parts or mod(hashtextextended(o.key, :seed) & 9223372036854775807, :all_parts) < :millionths as drawn
from unnest(:keys::text[]) as listed (key)
cross join lateral (select * from vod_migrate.objects o where o.source_id = :source_id and o.key = listed.key limit 1) o
join vod_migrate.migrations m using (migration_id);

-- name: facts_not_listed
-- Facts of a migration in a listed stretch that the listing did not name, by key; not those that were settled, or came back, after its page
-- was asked for, `age` seconds ago.
select o.key, true as own, '' as migration, o.registered, o.gone, o.size, o.etag, o.media_id, o.code, o.settled_at, false as recent,
       false as drawn
from vod_migrate.objects o
where o.source_id = :source_id and o.migration_id = :migration_id
  and o.key >= :first and o.key > :after_key and o.key <= :until and o.key <> all(:listed::text[])
  and o.settled_at < clock_timestamp() - make_interval(secs => :age)
  and not exists (
    select 1 from vod_migrate.events e
    where e.key = o.key and e.source_id = o.source_id and e.what = 'returned'
      and e.at >= clock_timestamp() - make_interval(secs => :age)
  )
order by o.key limit :most;

-- name: queued_among
-- Those of some keys that runs under way have in their queues.
select distinct w.key from vod_migrate.work w join vod_migrate.queues q using (queue_no)
where w.source_id = :source_id and w.key = any(:keys::text[]) and q.gate = 'open'
  and w.queue_no in (select queue_no from vod_migrate.live_runs);

-- name: unknown_media
-- Those of some MediaIds that neither a fact of the bucket names nor an earlier walk has found; what one has found is seen again.
with known as materialized (
  -- An aggregate: with a limit the planner would read the table in the hope of an early find.
  select asked.media_id, fact.key is not null as recorded
  from unnest(:media_ids::text[]) as asked (media_id)
  cross join lateral (
    select min(o.key) as key from vod_migrate.objects o
    where o.source_id::text || ' ' || o.media_id = (:source_id::integer)::text || ' ' || asked.media_id
  ) fact
), seen as (
  update vod_migrate.library l set seen_at = now()
  from known k where l.source_id = :source_id and l.media_id = k.media_id and not k.recorded
  returning l.media_id
)
select media_id from known where not recorded and media_id not in (select media_id from seen);

-- name: keep_library!
-- Media that a walk has found.
insert into vod_migrate.library (source_id, media_id, key, made_at)
select distinct on (media_id) :source_id, media_id, key, made_at
from unnest(:media_ids::text[], :keys::text[], :made::timestamptz[]) as found (media_id, key, made_at)
on conflict (source_id, media_id) do update set key = excluded.key, made_at = excluded.made_at, seen_at = now();

-- name: media_of_keys
-- Media of some keys' files that the walk since a moment has found and no fact of the bucket names, the oldest first. holder: the object,
-- of any bucket, whose fact has that MediaId.
select l.key, l.media_id, l.made_at, holder.place as holder
from vod_migrate.library l
cross join lateral (
  select min(s.bucket || '/' || o.key) as place
  from vod_migrate.sources mine join vod_migrate.sources s using (account)
  join vod_migrate.objects o
    on o.source_id::text || ' ' || o.media_id = s.source_id::text || ' ' || l.media_id
  where mine.source_id = :source_id
) holder
where l.source_id = :source_id and l.key = any(:keys::text[]) and l.seen_at >= :since
order by l.key, l.made_at, l.media_id;

-- name: media_not_listed
-- Media that the walk since a moment has found of files in a listed stretch that the listing did not name, by key.
select l.key, l.media_id, l.made_at, null as holder
from vod_migrate.library l
where l.source_id = :source_id and l.seen_at >= :since
  and l.key >= :first and l.key <= :until and (l.key, l.media_id) > (:after_key, :after_media_id)
  and l.key <> all(:listed::text[])
order by l.key, l.media_id limit :most;

-- name: forget_library!
-- What no walk of the last day has seen is no longer in VOD's library, or a fact names it now.
delete from vod_migrate.library where source_id = :source_id and seen_at < now() - interval '1 day';
