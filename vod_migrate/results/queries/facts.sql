-- What is known about objects.

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

-- name: registered_among
-- Those of some keys of a bucket that have been registered.
select o.key from vod_migrate.sources s join vod_migrate.objects o using (source_id)
where s.account = :account and s.bucket = :bucket and o.key = any(:keys::text[]) and o.registered;

-- name: registered_objects
-- Registered objects of a migration in a bucket by key, or those that one run settled: a random part of them, drawn by a seed.
select key, media_id, size from vod_migrate.objects
where source_id = :source_id and migration_id = :migration_id and registered and not gone and key > :after_key
  and (:run_no::integer is null or run_no = :run_no)
  and (:millionths >= :all_parts or mod(hashtextextended(key, :seed) & 9223372036854775807, :all_parts) < :millionths)
order by key limit :most;

-- name: registered_since
-- What a migration has registered since a moment, by key.
select o.key, o.media_id, o.size from vod_migrate.runs r join vod_migrate.objects o using (run_no)
where r.migration_id = :migration_id and coalesce(r.finished_at, 'infinity') >= :since and o.settled_at >= :since
  and o.source_id = :source_id and o.registered and not o.gone and o.key > :after_key
order by o.key limit :most;

-- name: latest_runs_of_bucket
-- The newest run of each migration that has had a run over a bucket.
select distinct on (r.migration_id) r.run_id from vod_migrate.runs r join vod_migrate.sources s using (source_id)
where s.bucket = :bucket order by r.migration_id, r.created_at desc, r.run_no desc;

-- name: keep_verification!
-- What VOD says about media takes the place of what it said before.
insert into vod_migrate.verifications (run_no, scope, millionths, seed, found) values (:run_no, :scope, :millionths, :seed, :found)
on conflict (run_no, scope) do update
set at = now(), millionths = excluded.millionths, seed = excluded.seed, found = excluded.found;
