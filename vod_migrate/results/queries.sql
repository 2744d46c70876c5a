-- name: insert_run!
-- A run begins; two tasks that prepare the same one at once make one row.
insert into runs (run_id, account, region, migration, bucket, mode, options, spec, spec_digest, local_date, origin,
                  dag_id, dag_run_id, task_group, execution, state)
values (:run_id, :account, :region, :migration, :bucket, :mode, :options, :spec, :spec_digest, :local_date, :origin,
        :dag_id, :dag_run_id, :task_group, :execution, 'running')
on conflict do nothing;

-- name: get_run^
-- One run.
select run_id, account, migration, bucket, mode, options, spec, local_date, origin, dag_id, dag_run_id, task_group,
       state, stop_code, stop_message, created_at, finished_at, summary, region, reopened_at
from runs where run_id = :run_id;

-- name: run_of_origin^
-- The newest run that an Airflow DAG run prepared: its id, execution and state.
select run_id, execution, state from runs
where dag_id = :dag_id and dag_run_id = :dag_run_id and task_group = :task_group
order by execution desc limit 1;

-- name: show_life!
-- One of the run's tasks works.
update runs set alive_at = now() where run_id = :run_id;

-- name: close_dead_runs
-- Runs of this migration that were killed are told as interrupted, and their own pace ends with them.
with dead as (
  update runs set state = 'interrupted', finished_at = now()
  where account = :account and migration = :migration and run_id <> :run_id and state = 'running'
    and vod_migrate_idle(run_id)
  returning run_id, account
)
delete from quotas q using dead where q.account = dead.account and q.scope = 'run:' || dead.run_id
returning q.scope;

-- name: latest_run_id$
-- The newest run of a migration.
select run_id from runs
where migration = :migration and (:account::text is null or account = :account)
order by created_at desc limit 1;

-- name: list_run_ids
-- The newest runs, of one migration or of all.
select run_id from runs
where (:migration::text is null or migration = :migration)
order by created_at desc limit :most;

-- name: reopen_run!
-- A single task of a finished run was cleared: its verdict is forgotten, its results are not.
update runs set state = 'running', stop_code = null, stop_message = null, stopped_by = null, finished_at = null,
                summary = null, alive_at = now(), reopened_at = now()
where run_id = :run_id and state <> 'running';

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

-- name: scan_state$
-- Whether a scan is still open.
select state from scans where scan_id = :scan_id;

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

-- name: queue_failed$
-- Mode failed: the migration's failed results become this run's work, without listing. A broken row is none: only its
-- manifest can mend it.
with chosen as (
  select result_id from results
  where account = :account and migration = :migration and state = 'failed'
    and not starts_with(coalesce(code, ''), 'row_')
    and (:codes::text[] is null or coalesce(code, 'no_code') = any(:codes::text[]))
    and (:prefixes::text[] is null or exists (select 1 from unnest(:prefixes::text[]) p where starts_with(key, p)))
    and (:since::timestamptz is null or last_modified >= :since)
  order by result_id limit :most for update
), queued as (
  update results r set state = 'pending', queued_run = :run_id, claim_token = null, alone = false, unsure = false,
                       attempts = 0, no_answers = 0, updated_at = now()
  from chosen c where r.result_id = c.result_id returning 1
) select count(*) from queued;

-- name: adopt_pending$
-- What an earlier run of this migration left pending, and that nobody works on any more, goes on in this one: a part at a
-- time, because rewriting tens of millions of rows at once would hold up the night. resumes: only that run's rest, and that
-- of the runs which it resumed itself.
with recursive resumed (run_id) as (
  select :resumes::text
  union
  select r.options ->> 'resume' from runs r join resumed using (run_id) where r.options ? 'resume'
), idle as materialized (
  select run_id from runs
  where account = :account and migration = :migration and run_id <> :run_id
    and (:mode <> 'failed' or mode = 'failed')
    and (:resumes::text is null or run_id in (select run_id from resumed))
    and (:only::text[] is null or run_id = any(:only::text[]))
    and exists (select 1 from results where queued_run = runs.run_id and state = 'pending')
    and vod_migrate_idle(run_id)
  order by created_at limit 1
), chosen as (
  select r.result_id from idle join results r on r.queued_run = idle.run_id and r.state = 'pending'
  order by r.result_id limit :most for update of r skip locked
), adopted as (
  update results r set queued_run = :run_id, claim_token = null, updated_at = now()
  from chosen c where r.result_id = c.result_id returning 1
) select count(*) from adopted;

-- name: waiting_counts^
-- What earlier runs of this migration left, and this one has not adopted yet: to be sent, and of unknown outcome.
with recursive resumed (run_id) as (
  select :resumes::text
  union
  select r.options ->> 'resume' from runs r join resumed using (run_id) where r.options ? 'resume'
)
select coalesce(sum(n.to_send), 0)::bigint, coalesce(sum(n.unsure), 0)::bigint
from runs
cross join lateral (
  select sum(t.objects) filter (where not t.unsure) as to_send, sum(t.objects) filter (where t.unsure) as unsure
  from result_tallies t
  where t.account = runs.account and t.migration = runs.migration and t.state = 'pending' and t.run_id = runs.run_id
) n
where runs.account = :account and runs.migration = :migration and runs.run_id <> :run_id
  and (:mode <> 'failed' or runs.mode = 'failed')
  and (:resumes::text is null or runs.run_id in (select run_id from resumed))
  and (:only::text[] is null or runs.run_id = any(:only::text[]))
  and exists (select 1 from results where queued_run = runs.run_id and state = 'pending')
  and vod_migrate_idle(runs.run_id);

-- name: insert_claim!
-- A worker takes its place in the run.
insert into claims (token, run_id, slot, worker, expires_at)
values (:token, :run_id, :slot, :worker, now() + make_interval(secs => :lease))
on conflict (token) do nothing;

-- name: forget_old_claims!
-- Places of workers that died long ago.
delete from claims where expires_at < now() - interval '1 day';

-- name: release_slot!
-- A retried task frees what its predecessor in the same place still holds.
with gone as (delete from claims where run_id = :run_id and slot = :slot and token <> :token returning token)
update results r set claim_token = null, unsure = true
from gone g where r.claim_token = g.token and r.state = 'pending';

-- name: renew_claim$
-- The worker still works; null means that somebody took its place.
update claims set expires_at = now() + make_interval(secs => :lease) where token = :token returning token;

-- name: release_claim!
-- A worker lets go of everything it holds but what is in flight, whose outcome is not known.
with mine as (delete from claims where token = :token)
update results r set claim_token = null, unsure = r.unsure or r.result_id = any(:in_flight::bigint[])
where r.claim_token = :token and r.state = 'pending';

-- name: release_results!
-- Some of a worker's results go back to the others.
update results set claim_token = null
where result_id = any(:result_ids::bigint[]) and state = 'pending' and claim_token = :token;

-- name: claim_results
-- The next pending results of a run that no living worker holds; none for a worker that has lost its place.
with work as (
  select r.result_id from results r
  where r.queued_run = :run_id and r.state = 'pending' and r.alone = :alone
    and r.claim_token is distinct from :token
    and exists (select 1 from claims mine where mine.token = :token and mine.expires_at > now())
    and (r.claim_token is null
         or not exists (select 1 from claims c where c.token = r.claim_token and c.expires_at > now()))
  order by r.result_id limit :most for update of r skip locked
)
update results r set claim_token = :token from work w where r.result_id = w.result_id
returning r.result_id, r.bucket, r.key, r.size, r.etag, r.last_modified, r.storage_class, r.attempts, r.no_answers,
          r.attributes;

-- name: claim_last
-- A few results from the far end of the backlog, to tell bad settings from bad files.
with work as (
  select r.result_id from results r
  where r.queued_run = :run_id and r.state = 'pending' and not r.alone and r.claim_token is null
  order by r.result_id desc limit :most for update of r skip locked
)
update results r set claim_token = :token from work w where r.result_id = w.result_id
returning r.result_id, r.bucket, r.key, r.size, r.etag, r.last_modified, r.storage_class, r.attempts, r.no_answers,
          r.attributes;

-- name: still_held
-- Which of these results the worker may still send.
select result_id from results
where result_id = any(:result_ids::bigint[]) and claim_token = :token and state = 'pending';

-- name: release_lost$
-- Results under the worker's own token that it does not know of: the answer to its claim was lost on the way.
with lost as (
  update results set claim_token = null where claim_token = :token and state = 'pending' returning 1
) select count(*) from lost;

-- name: work_left^
-- What keeps a run open: scans not closed, results to send, results to be tried alone.
select (select count(*) from scans where run_id = :run_id and state = 'open'),
       exists (select 1 from results where queued_run = :run_id and state = 'pending' and not alone),
       exists (select 1 from results where queued_run = :run_id and state = 'pending' and alone);

-- name: record_call$
-- One call, one commit: its audit row, the new state of each object, and the outcomes. Recording twice changes nothing.
-- A late answer (the claim went to somebody else) may set registered, never undo it. A MediaId belongs to one object: an
-- answer that gives it to a second one is told as a failure. A run counts an object once, by the newest answer; a media that it
-- made stays one that it made.
with call as (
  insert into calls (call_id, run_id, worker, api, started_at, seconds, answer, http_status, code, message, request_id,
                     files, carried)
  values (:call_id, :run_id, :worker, 'RegisterMedia', :started_at, :seconds, :answer, :http_status, :code, :message,
          :request_id, :files, :carried::bigint[])
  on conflict (call_id) do nothing returning call_id
), told_by_call as materialized (
  select a.*, case when a.media_id is not null then vod_migrate_holder(a.media_id, a.result_id) end as holder
  from unnest(:result_ids::bigint[], :outcomes::text[], :states::text[], :media_ids::text[], :codes::text[],
              :messages::text[], :descriptions::jsonb[])
    as a (result_id, outcome, state, media_id, code, message, description)
  where exists (select 1 from call)
), answered as (
  select result_id, outcome, state, media_id, code, message, description from told_by_call where holder is null
  union all
  select result_id, 'failed', 'failed', null, 'media_id_clash',
         'VOD answered with the MediaId ' || media_id || ', which it gave to ' || holder || ' before', description
  from told_by_call where holder is not null
), updated as (
  update results r set
    state = a.state,
    state_before_gone = null,
    media_id = coalesce(a.media_id, r.media_id),
    new_register = case when a.state = 'registered' then a.outcome = 'registered' else r.new_register end,
    code = case when a.state = 'registered' then null else a.code end,
    message = case when a.state = 'registered' then null else a.message end,
    request_id = :request_id,
    description = coalesce(a.description, r.description),
    attempts = r.attempts + (a.outcome in ('retry', 'failed') and a.code is distinct from 'no_answer')::int,
    no_answers = r.no_answers + (a.outcome = 'unknown' or a.code is not distinct from 'no_answer')::int,
    alone = a.outcome = 'retry',
    unsure = a.outcome = 'unknown',
    claim_token = null,
    settled_run = case when a.state = 'pending' then r.settled_run else :run_id end,
    registered_at = case when a.state = 'registered' then coalesce(r.registered_at, now()) else r.registered_at end,
    updated_at = now()
  from answered a
  where r.result_id = a.result_id
    and (r.state = 'pending' and r.claim_token = :token or a.state = 'registered' and r.state <> 'registered')
  returning r.result_id, r.state
), counted as (
  -- Before this call, that is. Only a run that lost the object meanwhile, or got it back, has any.
  select o.result_id, bool_or(o.outcome = 'registered') as made_media
  from updated u join outcomes o on o.result_id = u.result_id
  where u.state <> 'pending' and o.run_id = :run_id and o.outcome in ('registered', 'already_registered', 'failed')
  group by 1
), superseded as (
  update outcomes o set outcome = 'superseded'
  from counted c
  where o.result_id = c.result_id and o.run_id = :run_id and o.outcome in ('registered', 'already_registered', 'failed')
), told as (
  insert into outcomes (result_id, call_id, run_id, outcome, code)
  select a.result_id, :call_id, :run_id,
         case when u.result_id is null then 'late'
              when a.outcome = 'already_registered' and c.made_media then 'registered' else a.outcome end, a.code
  from answered a left join updated u on u.result_id = a.result_id left join counted c on c.result_id = a.result_id
  returning outcome
)
select count(*) filter (where outcome <> 'late') from told;

-- name: record_failures$
-- Objects that cannot be sent as they are, or that VOD refused standing alone: failed with a code. The call, if there was
-- one, has its audit row already.
with answered as (
  select * from unnest(:result_ids::bigint[], :codes::text[], :messages::text[], :request_ids::text[])
    as a (result_id, code, message, request_id)
), updated as (
  update results r set state = 'failed', code = a.code, message = a.message, request_id = a.request_id, alone = false,
                       unsure = false, claim_token = null, settled_run = :run_id, updated_at = now()
  from answered a where r.result_id = a.result_id and r.state = 'pending' and r.claim_token = :token
  returning r.result_id, r.code
), superseded as (
  update outcomes o set outcome = 'superseded'
  from updated u
  where o.result_id = u.result_id and o.run_id = :run_id and o.outcome in ('registered', 'already_registered', 'failed')
), told as (
  insert into outcomes (result_id, run_id, outcome, code) select result_id, :run_id, 'failed', code from updated
  returning 1
)
select count(*) from told;

-- name: take_back!
-- What a canary was told counts for nothing: its files are pending as before, and what it recorded is superseded. A media that
-- is another file's, or was new, is forgotten with it.
with taken as (
  select * from unnest(:result_ids::bigint[], :attempts::int[], :no_answers::int[]) as t (result_id, attempts, no_answers)
), back as (
  update results r set
    state = 'pending', alone = false, unsure = false, claim_token = null, attempts = t.attempts, no_answers = t.no_answers,
    media_id = case when r.new_register or r.result_id = any(:wrong::bigint[]) then null else r.media_id end,
    registered_at = case when r.new_register or r.result_id = any(:wrong::bigint[]) then null else r.registered_at end,
    new_register = null, settled_run = nullif(r.settled_run, :run_id), updated_at = now()
  from taken t where r.result_id = t.result_id and r.queued_run = :run_id
  returning r.result_id
)
update outcomes o set outcome = 'superseded'
from back b where o.run_id = :run_id and o.result_id = b.result_id and o.outcome <> 'late';

-- name: settle_alone!
-- A run stopped by its threshold gives no second try: what was refused once is failed.
with settled as (
  update results set state = 'failed', alone = false, claim_token = null, settled_run = :run_id, updated_at = now()
  where queued_run = :run_id and state = 'pending' and alone
  returning result_id, code
), superseded as (
  update outcomes o set outcome = 'superseded'
  from settled s
  where o.result_id = s.result_id and o.run_id = :run_id and o.outcome in ('registered', 'already_registered', 'failed')
)
insert into outcomes (result_id, run_id, outcome, code) select result_id, :run_id, 'failed', code from settled;

-- name: mark_unsure!
-- The call that carried these may have had an effect.
update results set unsure = true
where result_id = any(:result_ids::bigint[]) and state = 'pending' and claim_token = :token;

-- name: outcome_counts
-- The numbers of a run, from its tally: no row of it is counted again.
select outcome, sum(objects)::bigint from outcome_tallies where run_id = :run_id group by outcome having sum(objects) > 0;

-- name: outcome_counts_since
-- The same since a moment, for a run whose task was cleared after its end.
select outcome, count(*) from outcomes where run_id = :run_id and recorded_at >= :since group by outcome;

-- name: alone_left$
-- How many objects were refused once and wait for their second try.
select count(*) from results where queued_run = :run_id and state = 'pending' and alone;

-- name: broken_rows$
-- Failures of a run since a moment that came from rows of its manifest, and say nothing about VOD.
select count(*) from outcomes where run_id = :run_id and outcome = 'failed' and starts_with(code, 'row_')
  and recorded_at >= :since;

-- name: any_registered$
-- Whether the run's settings have proven themselves: in this run, or in an earlier one of exactly the same file.
select exists (
  select 1 from runs mine join runs alike using (account, migration, spec_digest)
  where mine.run_id = :run_id
    and exists (select 1 from outcomes o where o.run_id = alike.run_id and o.outcome in ('registered', 'already_registered'))
);

-- name: call_counts
-- The calls of a run by how they were answered.
select answer, sum(calls)::bigint from call_tallies where run_id = :run_id group by answer;

-- name: pending_counts^
-- What a run has left: to be sent, and of unknown outcome.
select coalesce(sum(t.objects) filter (where not t.unsure), 0)::bigint, coalesce(sum(t.objects) filter (where t.unsure), 0)::bigint
from runs r
join result_tallies t on t.account = r.account and t.migration = r.migration and t.state = 'pending' and t.run_id = r.run_id
where r.run_id = :run_id;

-- name: scan_counts
-- What the scans of a run counted.
select listed, counts, left_out from scans where run_id = :run_id;

-- name: scan_errors
-- The prefixes that could not be listed.
select prefix, error_code, error from scans where run_id = :run_id and state = 'failed' order by position;

-- name: stop_run!
-- The first worker that finds out why the run must stop says so for all.
update runs set stop_code = :code, stop_message = :message
where run_id = :run_id and state = 'running' and stop_code is null;

-- name: ask_to_end$
-- A person pauses or cancels a run that works. It may be about to pause for another reason; cancelling is above pausing.
update runs set stop_code = :code, stop_message = :message, stopped_by = :by
where run_id = :run_id and state = 'running'
  and (stop_code is null or stop_code in ('WindowClosed', 'BrakeReached') or (stop_code = 'Paused' and :code = 'Cancelled'))
returning run_id;

-- name: cancel_paused$
-- A paused run is cancelled: its numbers stay as they are.
update runs set state = 'cancelled', stop_code = :code, stop_message = :message, stopped_by = :by,
                summary = jsonb_set(summary, '{state}', '"cancelled"')
where run_id = :run_id and state = 'paused'
returning run_id;

-- name: run_is_idle$
-- Whether nobody works on a run.
select vod_migrate_idle(:run_id);

-- name: run_signal^
-- What a run's workers look at every second: whether it goes on, the database's clock, and the paces of its own.
select state, stop_code, stop_message, clock_timestamp(),
       array(select scope from quotas q where q.account = runs.account and q.api = 'RegisterMedia'
             and q.scope in ('run:' || runs.run_id, 'migration:' || runs.migration) order by scope desc)
from runs where run_id = :run_id;

-- name: spec_digest$
-- The digest of the file that a run was made from.
select spec_digest from runs where run_id = :run_id;

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

-- name: keep_brake!
-- The run's own count of what it sent, for its brakes.
insert into brakes (run_id) values (:run_id) on conflict do nothing;

-- name: drop_brake!
-- The count ends with the run.
delete from brakes where run_id = :run_id;

-- name: take_brake^
-- One more call of a run, and as many of its objects as were not sent in this run yet and may still be. Returns whether the
-- call may be made, which of the fresh objects were counted now, and which had been sent before.
with known as materialized (
  select f.result_id from unnest(:fresh::bigint[]) as f (result_id)
  where exists (select 1 from outcomes o where o.result_id = f.result_id and o.run_id = :run_id)
), brake as materialized (
  select calls, objects from brakes where run_id = :run_id for update
), counted as materialized (
  select f.result_id from unnest(:fresh::bigint[]) with ordinality as f (result_id, place)
  where f.result_id not in (select result_id from known)
  order by f.place
  limit greatest(0, (select :max_objects::bigint - objects from brake))
), taken as (
  update brakes b set calls = brake.calls + 1, objects = brake.objects + (select count(*) from counted)
  from brake
  where b.run_id = :run_id and brake.calls < :max_calls::bigint
    and (:others::int > 0 or exists (select 1 from known) or exists (select 1 from counted))
  returning 1
)
select (select calls < :max_calls::bigint from brake),
       array(select result_id from counted), array(select result_id from known), (select count(*) from taken);

-- name: finish_run!
-- The run has its verdict.
update runs set state = :state, finished_at = now(), summary = :summary where run_id = :run_id;

-- name: keep_quota^
-- The account's row for one API: made once, then its rate is what counts.
with made as (
  insert into quotas (account, api, scope, rate) values (:account, :api, '', :rate) on conflict do nothing
)
select rate from quotas where account = :account and api = :api and scope = '';

-- name: set_quota!
-- A person changes the account's pace.
insert into quotas (account, api, scope, rate) values (:account, :api, '', :rate)
on conflict (account, api, scope) do update
set rate = excluded.rate, next_at = least(quotas.next_at, clock_timestamp() + make_interval(secs => 1 / excluded.rate));

-- name: keep_cap!
-- A migration's or a run's own pace below the account's.
insert into quotas (account, api, scope, rate) values (:account, :api, :scope, :rate)
on conflict (account, api, scope) do update set rate = excluded.rate;

-- name: change_cap!
-- A person changes a migration's or a run's own pace while it runs: what an old, slower pace has booked ahead is forgotten.
insert into quotas (account, api, scope, rate) values (:account, :api, :scope, :rate)
on conflict (account, api, scope) do update
set rate = excluded.rate, next_at = least(quotas.next_at, clock_timestamp() + make_interval(secs => 1 / excluded.rate));

-- name: settle_migration_cap!
-- A run begins: its migration's own pace is what the file says (null: none), unless a run under way goes by what is there.
with others as (
  select 1 from runs
  where account = :account and migration = :migration and run_id <> :run_id and state = 'running' limit 1
), dropped as (
  delete from quotas
  where account = :account and api = :api and scope = 'migration:' || :migration and :rate::float8 is null
    and not exists (select 1 from others)
)
insert into quotas (account, api, scope, rate)
select :account, :api, 'migration:' || :migration, :rate::float8 where :rate::float8 is not null
on conflict (account, api, scope) do update set rate = excluded.rate where not exists (select 1 from others);

-- name: note_pace!
-- A run's own pace, as its report names it.
update runs set options = case when :rate::float8 is null then options - 'calls_per_second'
                               else options || jsonb_build_object('calls_per_second', :rate::float8) end
where run_id = :run_id;

-- name: drop_cap!
-- A run's cap ends with the run.
delete from quotas where account = :account and api = :api and scope = :scope;

-- name: list_quotas
-- Every pace, and the share of it in force.
select account, api, scope, rate, vod_migrate_share(factor, cut_at) from quotas order by account, api, scope;

-- name: reserve_slot^
-- The next send time, in seconds from now, and the interval after it; no row when slots are reserved further ahead than
-- allowed, which is less for a lower priority while a higher one has work. See register/quota.py.
update quotas q
set next_at = greatest(q.next_at, clock_timestamp()) + make_interval(secs => 1 / (q.rate * vod_migrate_share(q.factor, q.cut_at))),
    taken_at[:priority::int] = clock_timestamp()
where q.account = :account and q.api = :api and q.scope = :scope
  and q.next_at <= clock_timestamp() + make_interval(secs => vod_migrate_ahead(
        q.taken_at, :priority::int, q.rate * vod_migrate_share(q.factor, q.cut_at), :ahead, :yielding, :busy, :lowest))
returning extract(epoch from q.next_at - clock_timestamp())::float8,
          1 / (q.rate * vod_migrate_share(q.factor, q.cut_at));

-- name: seconds_to_slot$
-- After how many seconds a slot may be asked for again, where there was none; null where there is no such pace.
select greatest(0, extract(epoch from q.next_at - clock_timestamp()) - vod_migrate_ahead(
         q.taken_at, :priority::int, q.rate * vod_migrate_share(q.factor, q.cut_at), :ahead, :yielding, :busy, :lowest))::float8
from quotas q where q.account = :account and q.api = :api and q.scope = :scope;

-- name: slow_down!
-- The service throttled a call: everybody on the account slows down a little, once for each such call.
update quotas
set factor = greatest(:lowest, vod_migrate_share(factor, cut_at)
                               * greatest(1 - :most_cut, 1 - :cut / (rate * vod_migrate_share(factor, cut_at)))),
    cut_at = clock_timestamp(),
    next_at = greatest(next_at, clock_timestamp() + make_interval(secs => :pause))
where account = :account and api = :api and scope = '';

-- Plans: what a run would do, counted without changing anything; and the plans that were saved ------------------------------

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

-- name: make_scratch#
-- What a plan must see all of at once, on its own connection; it goes with the connection.
create temporary table planned_texts (key text collate "C" not null, title text not null) on commit preserve rows;
create temporary table planned_rows (key text collate "C" primary key) on commit preserve rows;
create temporary table planned_left (key text collate "C" primary key, sent boolean not null) on commit preserve rows;

-- name: note_named
-- Keys that a page of a manifest names; those that no page has named before come back.
insert into planned_rows select distinct key from unnest(:keys::text[]) as k (key) on conflict do nothing returning key;

-- name: note_left!
-- Keys that earlier runs left and that the source still shows. sent: whether the selection keeps them.
insert into planned_left select key, :sent from unnest(:keys::text[]) as k (key) on conflict do nothing;

-- name: left_shown
-- Which of some keys were noted so.
select key, sent from planned_left where key = any(:keys::text[]);

-- name: repeated_titles
-- How many titles occur more than once, on how many objects; and the most frequent ones, each with two keys.
with groups as materialized (
  select title as text, count(*) as n, min(key) as one, max(key) as other
  from planned_texts group by title having count(*) > 1
)
select (select count(*) from groups), (select sum(n)::bigint from groups), text, n, one, other
from groups order by n desc, text limit :most;

-- name: repeated_names
-- The same for file names.
with groups as materialized (
  select substring(key from '[^/]*$') as text, count(*) as n, min(key) as one, max(key) as other
  from planned_texts group by text having count(*) > 1
)
select (select count(*) from groups), (select sum(n)::bigint from groups), text, n, one, other
from groups order by n desc, text limit :most;

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
