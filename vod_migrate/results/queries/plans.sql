-- Plans: what a run would do, counted without changing anything; and the plans that were saved.

-- name: planned_fates
-- What merge_page would do with each key, in the order given. The second column is the state of a known result, '' for none.
with listed as (
  select * from unnest(:keys::text[], :etags::text[]) with ordinality as page (key, etag, place)
), looked_up as (
  select l.place, l.etag, r.result_id, r.migration, r.state, r.state_before_gone, r.nights, r.queued_run, r.code,
         r.etag as known_etag
  from listed l left join lateral (
    select * from results known
    where known.account = :account and known.bucket = :bucket and known.key = l.key limit 1
  ) r on true
)
select
  case when result_id is null then 'queued'
       else vod_migrate_fate(migration = :migration, state, state_before_gone, code, nights, queued_run, known_etag <> etag,
                             :run_id, :mode, :retry_failed, :adopts) end,
  coalesce(state, '')
from looked_up order by place;

-- name: planned_missing$
-- How many results note_missing and mark_gone would find gone in a listed stretch.
select count(*) from results r
where r.account = :account and r.bucket = :bucket and r.migration = :migration
  and r.key >= :first and r.key > :after and r.key <= :until
  and r.state in ('pending', 'registered') and r.claim_token is null and r.key <> all(:listed::text[]);

-- name: spared_rows
-- Broken rows that meet a result which is more than a broken row; record_broken_rows would leave them out.
select key from results r
where r.account = :account and r.bucket = :bucket and r.key = any(:keys::text[])
  and not (r.migration = :migration and r.state = 'failed' and starts_with(r.code, 'row_'));

-- name: idle_runs
-- Earlier runs of a migration that left something and that nobody works on; a run of this mode would go on with it.
select run_id from runs
where account = :account and migration = :migration and run_id <> :run_id
  and (:mode <> 'failed' or mode = 'failed')
  and exists (select 1 from results where queued_run = runs.run_id and state = 'pending')
  and vod_migrate_idle(run_id)
order by created_at;

-- name: left_by
-- A part of what one run left pending, in order.
select result_id, bucket, key, size, etag, last_modified, storage_class, attempts, no_answers, attributes
from results
where queued_run = :run_id and state = 'pending' and alone = :alone and result_id > :after
order by result_id limit :most;

-- name: planned_leftovers
-- The earlier runs whose leftovers an approved run takes over: those that its plan names (the plan with a digest, or the run's own),
-- and those that worked on the very same plan. One that found another source has taken over nothing.
select jsonb_array_elements_text(body -> 'leftover_runs') from (
  select body from plans
  where case when :digest::text is null then run_id = :run_id else digest = :digest end
  order by made_at desc limit 1
) plan
union
select run_id from runs
where account = :account and migration = :migration and options ->> 'approve' = :digest::text
  and stop_code is distinct from 'PlanChanged'
union
select run_id from plans where digest = :digest::text;

-- name: left_count$
-- How much some runs left pending.
select count(*) from results where queued_run = any(:runs::text[]) and state = 'pending';

-- name: left_keys
-- Which of some keys belong to what some runs left pending.
select key from results
where account = :account and bucket = :bucket and key = any(:keys::text[]) and state = 'pending'
  and queued_run = any(:runs::text[]);

-- name: failed_part
-- A part of what queue_failed would queue, in order.
select result_id, bucket, key, size, etag, last_modified, storage_class, attempts, no_answers, attributes
from results
where account = :account and migration = :migration and state = 'failed' and result_id > :after
  and not starts_with(coalesce(code, ''), 'row_')
  and (:codes::text[] is null or coalesce(code, 'no_code') = any(:codes::text[]))
  and (:prefixes::text[] is null or exists (select 1 from unnest(:prefixes::text[]) p where starts_with(key, p)))
  and (:since::timestamptz is null or last_modified >= :since)
order by result_id limit :most;

-- name: save_planned_scan!
-- What a plan found under a prefix stands where the run's own scan would stand.
insert into scans (run_id, prefix, position, whole, state, pages, listed, counts, left_out, samples, selected, fingerprint,
                   started_at, finished_at)
values (:run_id, :prefix, :position, :whole, :state, :pages, :listed, :counts, :left_out, :samples, :selected, :fingerprint,
        now(), now())
on conflict (run_id, prefix) do update
set state = excluded.state, cursor = null, last_key = null, pages = excluded.pages, listed = excluded.listed,
    counts = excluded.counts, left_out = excluded.left_out, samples = excluded.samples, selected = excluded.selected,
    fingerprint = excluded.fingerprint, error_code = null, error = null, finished_at = now();

-- name: save_plan!
-- A plan is kept with its run; planned again, the newer one counts.
insert into plans (run_id, account, migration, digest, body) values (:run_id, :account, :migration, :digest, :body)
on conflict (run_id) do update set digest = excluded.digest, body = excluded.body, made_at = now();

-- name: get_plan$
-- The plan that a run made.
select body from plans where run_id = :run_id;

-- name: plans_of_digest
-- The plans whose digest begins with some digits, the newest of each digest, newest first.
select body from (
  select distinct on (digest) body, made_at from plans where starts_with(digest, :beginning) order by digest, made_at desc
) newest order by made_at desc limit :most;

-- name: decide_plan$
-- A person answered; the first yes stays.
update plans set body = jsonb_set(body, '{decision}', :decision)
where run_id = :run_id and not coalesce((body -> 'decision' ->> 'approved')::boolean, false)
returning run_id;

-- name: say_rejected!
-- A run whose plan nobody wanted says so; it only planned.
update runs set stop_code = 'rejected', stop_message = :message where run_id = :run_id and state = 'planned';

-- name: scans_to_plan
-- The scans of a run as they were opened.
select scan_id, prefix, whole from scans where run_id = :run_id order by position;

-- name: begin_scans_anew!
-- An approved plan is about to be run: what it found under each prefix makes room for the run's own scans.
update scans set state = 'open', cursor = null, last_key = null, pages = 0, listed = 0, counts = '{}', left_out = '{}',
                 samples = '{}', selected = 0, fingerprint = '', error_code = null, error = null, started_at = null,
                 finished_at = null
where run_id = :run_id;

-- name: scan_prints
-- How far each scan of a run is, and what it selected.
select prefix, state, selected, fingerprint, error from scans where run_id = :run_id order by position;
