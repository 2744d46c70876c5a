-- Why files failed, as far as it was found out.

-- name: failure_codes
-- The codes with which objects of a run failed.
select distinct code from vod_migrate.counts where run_no = :run_no and outcome = 'failed' and objects > 0 order by code;

-- name: failures_spread
-- Objects of a run that failed with a code, still have failed and have no diagnosis yet: a few from everywhere, drawn by a hash of the key.
-- Drawn before they are looked up: a run may have hundreds of thousands of one code.
select o.key, o.code, o.size, o.etag, o.storage_class, o.sent from (
  select distinct e.key, hashtextextended(e.key, 0) as lot from vod_migrate.events e
  where e.run_no = :run_no and e.what = 'failed' and e.code = :code order by lot
) e
cross join lateral (
  select * from vod_migrate.objects o where o.source_id = :source_id and o.key = e.key limit 1
) o
where o.run_no = :run_no and not o.registered and o.code = :code
  and not exists (select 1 from vod_migrate.diagnoses d where d.run_no = :run_no and d.key = e.key)
order by e.lot limit :most;

-- name: failures_after
-- The same by key, whether they have a diagnosis or not. Any number of them may have been settled anew since.
select o.key, o.code, o.size, o.etag, o.storage_class, o.sent from (
  select distinct e.key from vod_migrate.events e
  where e.run_no = :run_no and e.what = 'failed' and e.code = :code and e.key > :after_key order by e.key
) e
cross join lateral (
  select * from vod_migrate.objects o where o.source_id = :source_id and o.key = e.key limit 1
) o
where o.run_no = :run_no and not o.registered and o.code = :code
order by e.key limit :most;

-- name: save_diagnoses!
insert into vod_migrate.diagnoses (run_no, key, code, cause, certain, evidence, ruled_out)
select :run_no, key, code, cause, certain, evidence, string_to_array(ruled_out, ' ')
from unnest(:keys::text[], :codes::text[], :causes::text[], :certain::boolean[], :evidence::text[], :ruled_out::text[])
  as d (key, code, cause, certain, evidence, ruled_out)
order by key
on conflict (run_no, key) do update set
  code = excluded.code, cause = excluded.cause, certain = excluded.certain, evidence = excluded.evidence, ruled_out = excluded.ruled_out,
  made_at = now();

-- name: registered_keys
-- Some keys that were registered with the very settings of a run, by it or before.
select o.key from vod_migrate.runs mine
join vod_migrate.runs r using (migration_id, source_id, spec_digest)
cross join lateral (select key from vod_migrate.objects where run_no = r.run_no and registered limit :most) o
where mine.run_no = :run_no order by r.run_no desc limit :most;

-- name: any_registered$
-- Whether a file of the bucket was ever registered in the account.
select exists (select 1 from vod_migrate.objects where source_id = :source_id and registered);
