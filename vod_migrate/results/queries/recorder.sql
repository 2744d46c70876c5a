-- What was sent, and what it meant: the one place where work becomes fact.

-- name: record^
-- Calls and what they meant for each object, in one commit. Recording twice changes nothing: a settlement that came with a call counts only
-- with that call, any other only while its work is there.
-- Final (registered, already_registered, failed): the work goes and the fact is written. retry and unknown: the work moves to a block that
-- anybody may claim. unsure: it stays, marked. A late answer (the block went to somebody else) may set registered, never undo it. A MediaId
-- belongs to one object of its account: an answer that gives it to a second one is a failure. A run counts an object once, by the newest
-- answer; a media that it made stays one that it made.
-- Work is found by its keys, whatever the planner believes of a table that nobody has analyzed yet: `any` and the `+ 0`, without which
-- it once read 60,000 waiting rows for each of 310 objects.
with made as materialized (
  select * from jsonb_to_recordset(:calls::jsonb)
    as c (call_id bigint, files int, started_at timestamptz, seconds float4, http_status int, answer text, request_id text, code text,
          message text, carried text[])
), call as (
  insert into vod_migrate.calls (call_id, run_no, worker_no, files, started_at, seconds, http_status, answer, request_id, code, message, carried)
  select call_id, :run_no, :worker_no, files, started_at, seconds, http_status, answer, request_id, code, message,
         (select array_agg(hashtextextended(k.key, 0)) from unnest(carried) as k (key))
  from made
  on conflict (call_id) do nothing
  returning call_id, started_at, answer, files
), paced as (
  insert into vod_migrate.rates as r (run_no, stretch, worker_no, answer, calls, files)
  select :run_no, floor(extract(epoch from started_at) / 5)::bigint, :worker_no, answer, count(*), sum(files)
  from call group by 2, 4 order by 2, 4
  on conflict (run_no, stretch, worker_no, answer) do update set calls = r.calls + excluded.calls, files = r.files + excluded.files
), answered as materialized (
  select distinct on (a.key) a.*, clash.key as holder
  from rows from (
      jsonb_to_recordset(:settlements::jsonb)
        as (key text, call_id bigint, outcome text, media_id text, code text, message text, sent jsonb)
    ) with ordinality as a (key, call_id, outcome, media_id, code, message, sent, place)
  left join lateral (
    -- Aggregates: with a limit the planner would read the table in the hope of an early find, and with a join of all buckets of the account
    -- it read 20 million facts for each object, since it expects one in 200 of a table without statistics to match.
    select min(held.key) as key from vod_migrate.sources mine join vod_migrate.sources s using (account)
    cross join lateral (
      select min(o.key) as key from vod_migrate.objects o
      where o.source_id::text || ' ' || o.media_id = s.source_id::text || ' ' || a.media_id and (o.source_id, o.key) <> (:source_id, a.key)
    ) held
    where mine.source_id = :source_id
  ) clash on a.media_id is not null
  where a.call_id is null or a.call_id not in (select call_id from made) or a.call_id in (select call_id from call)
  order by a.key, a.place desc
), judged as materialized (
  select key, call_id, place, sent,
         case when holder is null then outcome else 'failed' end as outcome,
         case when holder is null then media_id end as media_id,
         case when holder is null then code else 'media_id_clash' end as code,
         case when holder is null then message
              else 'VOD returned the MediaId ' || media_id || ', which already belongs to ' || holder end as message
  from (
    select key, call_id, place, sent, outcome, media_id, code, message,
           coalesce(holder, lag(key) over (partition by media_id order by place)) as holder
    from answered where media_id is not null
    union all
    select key, call_id, place, sent, outcome, media_id, code, message, null from answered where media_id is null
  ) told
), met as materialized (
  select j.*, w.block_id, w.size, w.etag, w.last_modified, w.storage_class, w.attributes, w.same_as, w.again, w.attempts, w.no_answers,
         coalesce(w.token = :token, false) as held,
         j.outcome in ('registered', 'already_registered') as succeeds, j.outcome in ('registered', 'already_registered', 'failed') as final
  from judged j
  left join lateral (
    select work.*, b.token from vod_migrate.work join vod_migrate.blocks b using (block_id)
    where work.source_id = :source_id and work.queue_no = :queue_no and work.key = j.key limit 1
  ) w on true
), known as materialized (
  select o.key, o.registered, o.gone, o.new_register, o.code, o.run_no, o.migration_id, o.call_id, o.settled_at
  from vod_migrate.objects o where o.source_id = :source_id and o.key = any(array(select key from answered)) for update
), settled as materialized (
  select m.*, k.key is not null as was, k.run_no as was_run, k.call_id as was_call, k.settled_at as was_at, k.registered as was_registered, k.gone as was_gone, k.code as was_code,
         coalesce(k.migration_id, :migration_id) as owner,
         case when k.run_no = :run_no then
                case when not k.registered then 'failed' when k.new_register then 'registered' else 'already_registered' end
              when k.key is not null and not m.held and exists (
                select 1 from vod_migrate.events e
                where e.key = m.key and e.source_id = :source_id and e.run_no = :run_no and e.what = 'failed') then 'failed'
         end as counted,
         case when k.run_no = :run_no then coalesce(k.code, 'no_code')
              else (select coalesce(e.code, 'no_code') from vod_migrate.events e
                    where k.key is not null and not m.held and e.key = m.key and e.source_id = :source_id and e.run_no = :run_no
                      and e.what = 'failed' order by e.at desc limit 1)
         end as counted_code
  from met m left join known k on k.key = m.key
  where m.final and (m.held or m.succeeds and (k.key is null or not k.registered or k.gone))
), cleared as (
  delete from vod_migrate.work w
  where w.source_id = :source_id and w.queue_no + 0 = :queue_no and w.key = any(array(select key from settled))
  returning w.block_id, w.again
), shrunk as (
  -- A late answer may end work that waits for somebody else.
  update vod_migrate.blocks b set objects = b.objects - c.objects, again = b.again - c.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again from cleared group by block_id) c
  where b.block_id = c.block_id and b.token is null
), waits as (
  -- What else waits for an object is counted by its fact from now on: a late answer's object may be in another queue by now.
  update vod_migrate.work w set again = true
  where w.source_id = :source_id and w.queue_no + 0 <> :queue_no and not w.again
    and w.key = any(array(select key from settled where not was))
  returning w.block_id
), noted as (
  update vod_migrate.blocks b set again = b.again + c.objects
  from (select block_id, count(*) as objects from waits group by block_id) c where b.block_id = c.block_id and b.token is null
), fact as (
  insert into vod_migrate.objects as o (source_id, migration_id, run_no, registered, new_register, size, last_modified, call_id, key, etag,
                                        storage_class, media_id, sent, code, message, attributes, same_as)
  select :source_id, :migration_id, :run_no, succeeds,
         case when succeeds then outcome = 'registered' or coalesce(counted = 'registered', false) end,
         size, last_modified, call_id, key, etag, storage_class, media_id, sent,
         case when not succeeds then coalesce(code, 'no_code') end, case when not succeeds then message end,
         case when not succeeds then attributes end, same_as
  from settled order by key
  on conflict (source_id, key) do update set
    run_no = excluded.run_no, registered = excluded.registered, gone = false, new_register = coalesce(excluded.new_register, o.new_register),
    retries = case when excluded.registered or o.registered or not :again then 0 else o.retries + 1 end,
    size = coalesce(excluded.size, o.size), last_modified = coalesce(excluded.last_modified, o.last_modified),
    etag = coalesce(excluded.etag, o.etag), storage_class = coalesce(excluded.storage_class, o.storage_class),
    settled_at = now(), call_id = excluded.call_id, media_id = coalesce(excluded.media_id, o.media_id),
    sent = coalesce(excluded.sent, o.sent), code = excluded.code, message = excluded.message, attributes = excluded.attributes,
    same_as = coalesce(excluded.same_as, o.same_as)
), doubted as (
  -- A late answer changes what a listing has told meanwhile. Without one, which is asked once, no range is read.
  update vod_migrate.ranges r set waiting = null
  where exists (select 1 from settled where not held)
    and r.migration_id = any(array(select owner from settled where not held)) and r.source_id = :source_id and r.waiting is not null
    and exists (select 1 from settled s where not s.held and s.key > r.after and s.key <= r.until)
), counted as (
  insert into vod_migrate.counts as c (run_no, worker_no, outcome, code, objects)
  select :run_no, :worker_no, outcome, code, sum(change) from (
    select case when outcome = 'already_registered' and counted = 'registered' then 'registered' else outcome end as outcome,
           case when succeeds then '' else coalesce(code, 'no_code') end as code, 1 as change
    from settled
    union all
    select counted, case when counted = 'failed' then counted_code else '' end, -1 from settled where counted is not null
  ) changes group by outcome, code having sum(change) <> 0 order by outcome, code
  on conflict (run_no, worker_no, outcome, code) do update set objects = c.objects + excluded.objects
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects, first_key, last_key)
  select owner, :worker_no, state, code, sum(change), min(key collate "C"), max(key collate "C") from (
    select owner, case when succeeds then 'registered' else 'failed' end as state,
           case when succeeds then '' else coalesce(code, 'no_code') end as code, 1 as change, case when not was then key end as key
    from settled
    union all
    select owner, case when was_gone then 'gone' when was_registered then 'registered' else 'failed' end,
           case when was_gone or was_registered then '' else coalesce(was_code, 'no_code') end, -1, null
    from settled where was
  ) changes group by owner, state, code having sum(change) <> 0 or count(key) > 0 order by owner, state, code
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects,
    first_key = least(t.first_key, excluded.first_key), last_key = greatest(t.last_key, excluded.last_key)
), free as (
  insert into vod_migrate.blocks (queue_no, alone, objects, again, taken_by)
  select :queue_no, outcome = 'retry', count(*), count(*) filter (where again), :run_no
  from met where held and outcome in ('retry', 'unknown') group by outcome
  returning block_id, alone
), moved as (
  update vod_migrate.work w
  set block_id = f.block_id, unsure = m.outcome = 'unknown',
      attempts = w.attempts + (m.outcome = 'retry' and m.code is distinct from 'no_answer')::int,
      no_answers = w.no_answers + (m.outcome = 'unknown' or m.code is not distinct from 'no_answer')::int
  from met m join free f on f.alone = (m.outcome = 'retry')
  where m.held and m.outcome in ('retry', 'unknown') and w.source_id = :source_id and w.queue_no + 0 = :queue_no and w.key = m.key
    and w.key = any(array(select key from met where held and outcome in ('retry', 'unknown')))
  returning w.key
), marked as (
  update vod_migrate.work w set unsure = true
  from met m where m.held and m.outcome = 'unsure' and not w.unsure
    and w.source_id = :source_id and w.queue_no = :queue_no and w.key = m.key
), told as (
  insert into vod_migrate.events (source_id, run_no, call_id, what, key, code, message)
  select :source_id, :run_no, m.call_id,
         case when not m.held then 'late' else m.outcome end, m.key, m.code, m.message
  from met m
  where m.outcome <> 'unsure' and (not m.held or m.outcome in ('failed', 'retry', 'unknown'))
), replaced as (
  insert into vod_migrate.events (at, source_id, run_no, call_id, what, key)
  select was_at, :source_id, was_run, was_call, 'registered', key from settled where was_registered
)
select (select count(*) from settled) as settled, (select count(*) from moved) as moved;

-- name: settle_alone$
-- A run stopped by its threshold gives no second try: what was refused once is failed, as it was refused.
with refused as materialized (
  select w.key, w.size, w.etag, w.last_modified, w.storage_class, w.attributes, e.code, e.message, e.call_id,
         o.registered, o.gone, o.code as known_code, coalesce(o.migration_id, :migration_id) as owner
  from vod_migrate.blocks b
  join vod_migrate.work w using (block_id)
  left join lateral (
    select coalesce(code, 'no_code') as code, message, call_id from vod_migrate.events
    where key = w.key and source_id = w.source_id and run_no = :run_no and what = 'retry' order by at desc limit 1
  ) e on true
  left join vod_migrate.objects o on o.source_id = w.source_id and o.key = w.key
  where b.queue_no = :queue_no and b.alone and e.code is not null
), cleared as (
  delete from vod_migrate.work w using refused r where w.source_id = :source_id and w.queue_no = :queue_no and w.key = r.key
  returning w.block_id, w.again
), shrunk as (
  update vod_migrate.blocks b set objects = b.objects - c.objects, again = b.again - c.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again from cleared group by block_id) c
  where b.block_id = c.block_id and b.token is null
), fact as (
  insert into vod_migrate.objects as o (source_id, migration_id, run_no, registered, size, last_modified, call_id, key, etag, storage_class,
                                        code, message, attributes)
  select :source_id, :migration_id, :run_no, false, size, last_modified, call_id, key, etag, storage_class, code, message, attributes
  from refused order by key
  on conflict (source_id, key) do update set
    run_no = excluded.run_no, registered = false, gone = false, call_id = excluded.call_id, settled_at = now(), code = excluded.code,
    message = excluded.message, attributes = excluded.attributes
), counted as (
  insert into vod_migrate.counts as c (run_no, worker_no, outcome, code, objects)
  select :run_no, 0, 'failed', code, count(*) from refused group by code
  on conflict (run_no, worker_no, outcome, code) do update set objects = c.objects + excluded.objects
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects, first_key, last_key)
  select owner, 0, state, code, sum(change), min(key), max(key) from (
    select owner, 'failed' as state, code, 1 as change, case when registered is null then key end as key from refused
    union all
    select owner, case when gone then 'gone' when registered then 'registered' else 'failed' end,
           case when gone or registered then '' else coalesce(known_code, 'no_code') end, -1, null
    from refused where registered is not null
  ) changes group by owner, state, code having sum(change) <> 0 or count(key) > 0
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects,
    first_key = least(t.first_key, excluded.first_key), last_key = greatest(t.last_key, excluded.last_key)
), told as (
  insert into vod_migrate.events (source_id, run_no, call_id, what, key, code, message)
  select :source_id, :run_no, call_id, 'failed', key, code, message from refused
)
select count(*) from refused;

-- name: hold_category!
-- While the transaction lasts nobody else of the account makes the category of that path.
select pg_advisory_xact_lock(hashtextextended('vod_migrate category:' || :account || '/' || :path, 0))::text;
