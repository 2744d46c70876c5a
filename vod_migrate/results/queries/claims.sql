-- What is to be sent, and who holds it: queued, adopted, claimed, let go of.

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
