-- Scans: prefixes, manifests and inventories while they are listed, and what a listed object means to a run.

-- name: retry_failed_scans!
-- A retried discovery takes up the prefixes that it could not list; each goes on at its cursor.
update scans set state = 'open', error_code = null, error = null, finished_at = null
where run_id = :run_id and state = 'failed';

-- name: open_scan!
-- One prefix to list.
insert into scans (run_id, prefix, position, whole) values (:run_id, :prefix, :position, :whole)
on conflict (run_id, prefix) do nothing;

-- name: open_scans
-- What is left to list, in order.
select scan_id, prefix, whole, cursor, last_key, pages, listed, counts, left_out, samples, selected, fingerprint
from scans where run_id = :run_id and state = 'open' order by position;

-- name: get_scan^
-- Where a scan stands, read under its lock.
select scan_id, prefix, whole, cursor, last_key, pages, listed, counts, left_out, samples, selected, fingerprint
from scans where scan_id = :scan_id and state = 'open';

-- name: queued_by_scans$
-- How many objects the run's scans queued so far, for its limit.
select coalesce(sum((counts ->> 'queued')::bigint), 0) from scans where run_id = :run_id;

-- name: save_scan!
-- A page is merged: the cursor moves in the same transaction.
update scans set cursor = :cursor, last_key = :last_key, pages = :pages, listed = :listed, counts = :counts,
                 left_out = :left_out, samples = :samples, selected = :selected, fingerprint = :fingerprint,
                 started_at = coalesce(started_at, now())
where scan_id = :scan_id;

-- name: close_scan!
-- A prefix is done: listed to its end, cut short by the run's limit, or given up.
update scans set state = :state, error_code = :error_code, error = :error, finished_at = now(),
                 started_at = coalesce(started_at, now())
where scan_id = :scan_id;

-- name: lock_merge$
-- Pages of one bucket are merged one after the other: two migrations that find the same new object at the same moment must
-- agree on its owner, and the second must see it to count it.
select pg_advisory_xact_lock(hashtextextended('merge:' || :account || '/' || :bucket, 0))::text;

-- name: merge_page
-- A page of selected objects meets the results: what is new is queued, what is known meets its fate. One row per fate.
-- A manifest may name an object twice, and may not say its size, etag, time or class: null changes nothing that is known.
-- A run nobody is present in gives up its advisory lock at once, so its pending rows are free to adopt.
with listed as (
  select * from unnest(:keys::text[], :sizes::bigint[], :etags::text[], :modified::timestamptz[], :classes::text[],
                       :attributes::jsonb[])
    as page (key, size, etag, last_modified, storage_class, attributes)
), looked_up as (
  -- One index probe a key, whatever the statistics of a table that has just begun to grow make the planner believe.
  select l.*, r.result_id, r.migration, r.state, r.state_before_gone, r.nights, r.queued_run, r.settled_run,
         r.code, r.etag as known_etag
  from listed l left join lateral (
    select * from results known
    where known.account = :account and known.bucket = :bucket and known.key = l.key limit 1
  ) r on true
), known as (
  select result_id, state, size, etag, last_modified, storage_class, attributes,
    case
      when :once and migration = :migration and settled_run = :run_id and not starts_with(coalesce(code, ''), 'row_')
        then 'duplicate'
      else vod_migrate_fate(migration = :migration, state, state_before_gone, code, nights, queued_run, known_etag <> etag,
                            :run_id, :mode, :retry_failed, :adopts)
    end as fate
  from looked_up where result_id is not null
), inserted as (
  insert into results (account, bucket, key, migration, size, etag, last_modified, storage_class, attributes,
                       queued_run)
  select :account, :bucket, l.key, :migration, l.size, l.etag, l.last_modified, l.storage_class, l.attributes, :run_id
  from looked_up l where l.result_id is null
  order by l.key
  on conflict (account, bucket, key) do nothing
  returning 1
), requeued as (
  update results r
  set state = 'pending', state_before_gone = null, queued_run = :run_id, claim_token = null, alone = false,
      unsure = false, attempts = 0, no_answers = 0, size = coalesce(k.size, r.size), etag = coalesce(k.etag, r.etag),
      last_modified = coalesce(k.last_modified, r.last_modified), storage_class = coalesce(k.storage_class, r.storage_class),
      attributes = coalesce(k.attributes, r.attributes), updated_at = now(),
      nights = case when k.state = 'failed' and :mode = 'new' then r.nights + 1 else 0 end
  from known k where k.fate = 'queued' and r.result_id = k.result_id and r.state = k.state
  returning 1
), renewed as (
  update results r set attributes = k.attributes
  from known k where k.fate = 'adopted' and r.result_id = k.result_id and r.state = 'pending' and r.claim_token is null
    and k.attributes is not null and r.attributes is distinct from k.attributes
  returning 1
), returned as (
  update results r set state = 'registered', state_before_gone = null, updated_at = now()
  from known k where k.fate = 'returned' and r.result_id = k.result_id and r.state = 'gone'
  returning 1
)
select 'queued', (select count(*) from inserted) + (select count(*) from requeued)
union all select 'unchanged', (select count(*) from returned)
union all select fate, count(*) from known where fate not in ('queued', 'returned') group by fate;

-- name: record_broken_rows
-- Rows of a manifest that cannot be used are failed results of their own: never sent, and queued as soon as the row is right.
-- A result that is more than such a row stays as it is. One row per code.
with broken as (
  select * from unnest(:keys::text[], :codes::text[], :messages::text[]) as b (key, code, message)
), kept as (
  insert into results (account, bucket, key, migration, state, code, message, settled_run)
  select :account, :bucket, key, :migration, 'failed', code, message, :run_id from broken order by key
  on conflict (account, bucket, key) do update
  set code = excluded.code, message = excluded.message, request_id = null, settled_run = excluded.settled_run,
      updated_at = now()
  where results.migration = excluded.migration and results.state = 'failed' and starts_with(results.code, 'row_')
  returning result_id, key, code
), told as (
  insert into outcomes (result_id, run_id, outcome, code)
  select k.result_id, :run_id, 'failed', k.code from kept k
  where not exists (
    select 1 from outcomes o where o.run_id = :run_id and o.result_id = k.result_id and o.outcome = 'failed'
  )
)
select b.code, count(*) from broken b where not exists (select 1 from kept k where k.key = b.key) group by b.code;

-- name: note_missing!
-- Results inside a listed stretch that the listing did not name; they become gone only if the whole prefix is listed.
insert into gone_candidates (scan_id, result_id)
select :scan_id, r.result_id from results r
where r.account = :account and r.bucket = :bucket and r.migration = :migration
  and r.key >= :first and r.key > :after and r.key <= :until
  and r.state in ('pending', 'registered') and r.key <> all(:listed::text[])
on conflict do nothing;

-- name: mark_gone$
-- The prefix was listed to its end: what it no longer holds is gone. A gone result keeps its MediaId.
with gone as (
  update results r set state = 'gone', state_before_gone = r.state, updated_at = now()
  from gone_candidates g
  where g.scan_id = :scan_id and r.result_id = g.result_id and r.state in ('pending', 'registered')
    and r.claim_token is null
  returning 1
) select count(*) from gone;

-- name: forget_missing!
-- The candidates of a scan that is done.
delete from gone_candidates where scan_id = :scan_id;

-- name: scan_counts
-- What the scans of a run counted.
select listed, counts, left_out from scans where run_id = :run_id;

-- name: scan_errors
-- The prefixes that could not be listed.
select prefix, error_code, error from scans where run_id = :run_id and state = 'failed' order by position;

-- name: continue_scans!
-- A resumed run goes on listing where the earlier one stopped, or could not go on.
with before as (
  select * from scans where run_id = :resumes and state in ('open', 'failed')
), after as (
  insert into scans (run_id, prefix, position, whole, cursor, last_key, pages, fingerprint, selected)
  select :run_id, prefix, position, whole, cursor, last_key, pages, fingerprint, selected from before
  on conflict (run_id, prefix) do nothing
  returning scan_id, prefix
)
insert into gone_candidates (scan_id, result_id)
select after.scan_id, g.result_id from after join before using (prefix)
join gone_candidates g on g.scan_id = before.scan_id;

-- name: unlisted_scans$
-- How many prefixes a run has not listed to the end.
select count(*) from scans where run_id = :run_id and state in ('open', 'failed');
