-- What is registered.

-- name: registered_objects
-- Registered objects of a migration in a bucket by key, or those that one run settled: a random part of them, drawn by a seed.
select key, media_id, size from vod_migrate.objects
where source_id = :source_id and migration_id = :migration_id and registered and not gone and key > :after
  and (:run_no::integer is null or run_no = :run_no)
  and (:millionths >= :all_parts or mod(hashtextextended(key, :seed) & 9223372036854775807, :all_parts) < :millionths)
order by key limit :most;

-- name: latest_runs_of_bucket
-- The newest run of each migration that has had a run over a bucket.
select distinct on (r.migration_id) r.run_id from vod_migrate.runs r join vod_migrate.sources s using (source_id)
where s.bucket = :bucket order by r.migration_id, r.created_at desc, r.run_no desc;

-- name: keep_verification!
-- What VOD says about media takes the place of what it said before.
insert into vod_migrate.verifications (run_no, scope, millionths, seed, found) values (:run_no, :scope, :millionths, :seed, :found)
on conflict (run_no, scope) do update
set at = now(), millionths = excluded.millionths, seed = excluded.seed, found = excluded.found;
