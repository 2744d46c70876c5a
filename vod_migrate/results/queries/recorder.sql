-- What was sent, and what it meant.

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
