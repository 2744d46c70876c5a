-- Scans: what is listed, and what a listed object means to a run.

-- name: open_scan!
-- One thing to list.
insert into vod_migrate.scans (run_no, position, kind, prefix, whole) values (:run_no, :position, :kind, :prefix, :whole)
on conflict (run_no, kind, prefix) do nothing;

-- name: continue_scans!
-- A resumed run goes on listing where the earlier one stopped, or could not go on.
with after as (
  insert into vod_migrate.scans (run_no, position, kind, prefix, whole, cursor, last_key, page_no, fingerprint, selected)
  select :run_no, position, kind, prefix, whole, cursor, last_key, page_no, fingerprint, selected
  from vod_migrate.scans where run_no = :before and state in ('open', 'failed')
  on conflict (run_no, kind, prefix) do nothing
  returning scan_id, kind, prefix
)
insert into vod_migrate.missing (scan_id, key)
select after.scan_id, m.key from after
join vod_migrate.scans before on before.run_no = :before and before.kind = after.kind and before.prefix = after.prefix
join vod_migrate.missing m on m.scan_id = before.scan_id;

-- name: begin_scans_anew!
-- An approved plan is about to be run: its scans begin at the beginning.
with absent as (
  delete from vod_migrate.missing m using vod_migrate.scans s where s.run_no = :run_no and m.scan_id = s.scan_id
)
update vod_migrate.scans
set state = 'open', cursor = null, last_key = null, page_no = 0, page_nonce = null, listed = 0, counts = '{}', left_out = '{}',
    samples = '{}', notes = '{}', selected = 0, fingerprint = '', error_code = null, error = null, started_at = null, finished_at = null
where run_no = :run_no;

-- name: retry_failed_scans!
-- A retried discovery takes up what it could not list; each scan goes on at its cursor.
update vod_migrate.scans set state = 'open', error_code = null, error = null, finished_at = null
where run_no = :run_no and state = 'failed';

-- name: scans_of_run
-- All scans of a run, in order.
select scan_id, kind, prefix, whole, state, cursor, last_key, page_no, page_nonce, listed, counts, left_out, samples, notes,
       selected, fingerprint, error_code, error
from vod_migrate.scans where run_no = :run_no and (:state::text is null or state = :state) order by position;

-- name: get_scan^
-- Where a scan stands.
select scan_id, kind, prefix, whole, state, cursor, last_key, page_no, page_nonce, listed, counts, left_out, samples, notes,
       selected, fingerprint, error_code, error
from vod_migrate.scans where scan_id = :scan_id;

-- name: hold_scan$
-- Whether it stands exactly there, while its lister's lease holds; locked.
select s.scan_id from vod_migrate.scans s
where s.scan_id = :scan_id and s.state = 'open' and s.page_no = :page_no and s.page_nonce is not distinct from :page_nonce
  and s.cursor is not distinct from :cursor
  and exists (select 1 from vod_migrate.workers w
              where w.run_no = s.run_no and w.slot = 'discover' and w.token = :token and w.expires_at > now())
for update of s;

-- name: hold_source!
-- Pages of one bucket are merged one after the other: two runs that find the same new object at the same moment must see each other.
select 1 from vod_migrate.sources where source_id = :source_id for no key update;

-- name: save_scan!
-- A page is merged: the cursor moves in the same transaction.
update vod_migrate.scans
set cursor = :cursor, last_key = :last_key, page_no = :page_no, page_nonce = :page_nonce, listed = :listed, counts = :counts,
    left_out = :left_out, samples = :samples, notes = :notes, selected = :selected, fingerprint = :fingerprint,
    started_at = coalesce(started_at, now())
where scan_id = :scan_id;

-- name: end_scan!
-- A scan is done: listed to its end, cut short by the run's limit, or given up.
update vod_migrate.scans set state = :state, counts = :counts, error_code = :error_code, error = :error, finished_at = now(),
                             started_at = coalesce(started_at, now())
where scan_id = :scan_id;

-- name: queued_by_scans$
-- How many objects the run's scans queued so far, for its limit.
select coalesce(sum(coalesce((counts ->> 'queued')::bigint, 0) + coalesce((counts ->> 'queued_again')::bigint, 0)), 0)::bigint
from vod_migrate.scans where run_no = :run_no and kind <> 'leftovers';

-- name: unlisted_scans$
-- How many scans a run has not brought to their end.
select count(*) from vod_migrate.scans where run_no = :run_no and state in ('open', 'failed');

-- name: merge_page
-- A page of selected objects meets the facts, and the work of runs under way. What is to be sent becomes work of this run's queue, in one
-- block (two where some are to be tried alone). One row per disposition.
-- A manifest may name an object twice, and may not say its size, etag, time or class. once: the source may name an object twice.
-- modes: of leftovers, the mode of the run that queued them; otherwise the run's own. planning: no fact is touched.
with listed as (
  select distinct on (key) * from unnest(
    :keys::text[], :sizes::bigint[], :etags::text[], :modified::timestamptz[], :classes::text[], :attributes::jsonb[], :modes::text[],
    :attempts::int[], :no_answers::int[], :moved::text[])
    as page (key, size, etag, last_modified, storage_class, attributes, mode, attempts, no_answers, same_as)
  order by key
), live as materialized (
  select l.queue_no from vod_migrate.live_runs l join vod_migrate.queues q using (queue_no)
  where l.source_id = :source_id and q.gate = 'open' and l.queue_no <> :queue_no
), met as materialized (
  -- Index probes, whatever the statistics of tables that have just begun to grow make the planner believe.
  select l.*, f.migration_id, f.registered, f.gone, f.run_no, f.code, f.retries, f.known_etag, mine.scan_id, mine.block_id,
         exists (
           select 1 from vod_migrate.work w
           where w.source_id = :source_id and w.key = l.key and w.queue_no in (select queue_no from live)
         ) as elsewhere
  from listed l
  left join lateral (
    select o.migration_id, o.registered, o.gone, o.run_no, o.code, o.retries, o.etag as known_etag
    from vod_migrate.objects o where o.source_id = :source_id and o.key = l.key limit 1
  ) f on true
  left join lateral (
    select b.scan_id, b.block_id from vod_migrate.work w join vod_migrate.blocks b using (block_id)
    where w.source_id = :source_id and w.key = l.key and w.queue_no = :queue_no limit 1
  ) mine on true
), judged as materialized (
  select met.*,
    case
      when block_id is not null then case when :once and scan_id is not distinct from :scan_id then 'duplicate' else 'adopted' end
      when registered is null then case when elsewhere then 'queued_elsewhere' else 'queued' end
      when migration_id <> :migration_id then 'owned_elsewhere'
      when :once and run_no = :run_no and not starts_with(coalesce(code, ''), 'row_') then 'duplicate'
      when elsewhere then 'queued_elsewhere'
      when registered and gone and mode <> 'all' then 'returned'
      when gone then 'queued_again'
      when registered then
        case when mode = 'all' then 'queued_again' when known_etag <> etag then 'changed' else 'unchanged' end
      when mode in ('all', 'failed') or known_etag <> etag or retries < :retry_failed or starts_with(coalesce(code, ''), 'row_')
        then 'queued_again'
      else 'failed_before'
    end as disposition
  from met
), made as (
  insert into vod_migrate.blocks (queue_no, scan_id, alone, objects, again)
  select :queue_no, :scan_id, attempts > 0, count(*), count(*) filter (where registered is not null)
  from judged where disposition in ('queued', 'queued_again') group by attempts > 0
  returning block_id, alone
), queued as (
  insert into vod_migrate.work (source_id, queue_no, block_id, size, last_modified, attempts, no_answers, again, key, etag, storage_class,
                                attributes, same_as)
  select :source_id, :queue_no, m.block_id, j.size, j.last_modified, j.attempts, j.no_answers, j.registered is not null, j.key, j.etag,
         j.storage_class, j.attributes, j.same_as
  from judged j join made m on m.alone = (j.attempts > 0)
  where j.disposition in ('queued', 'queued_again')
  order by j.key
), dead as materialized (
  select q.queue_no from vod_migrate.queues q join vod_migrate.queues mine on mine.queue_no = :queue_no and mine.gate = 'open'
  where not :leftovers and q.migration_id = :migration_id and q.source_id = :source_id and q.gate = 'open' and q.queue_no <> :queue_no
    and not exists (select 1 from vod_migrate.live_runs l where l.queue_no = q.queue_no)
), superseded as (
  -- What ended runs left of these is sent from here, also by a run that takes over no leftovers. Of a plan, its approval decides.
  -- Without ended runs, which is asked once, no work is read.
  delete from vod_migrate.work w
  where exists (select 1 from dead) and w.source_id = :source_id and w.queue_no = any(array(select queue_no from dead))
    and w.key = any(array(select key from judged where disposition in ('queued', 'queued_again')))
  returning w.block_id, w.again
), shrunk as (
  update vod_migrate.blocks b set objects = b.objects - c.objects, again = b.again - c.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again from superseded group by block_id) c
  where b.block_id = c.block_id
), renewed as (
  update vod_migrate.work w
  set size = coalesce(j.size, w.size), etag = coalesce(j.etag, w.etag), last_modified = coalesce(j.last_modified, w.last_modified),
      storage_class = coalesce(j.storage_class, w.storage_class), attributes = coalesce(j.attributes, w.attributes)
  from judged j join vod_migrate.blocks b using (block_id)
  where j.disposition = 'adopted' and not :leftovers and b.token is null and w.source_id = :source_id and w.key = j.key
    and w.queue_no = :queue_no
    and (j.etag is distinct from w.etag or j.attributes is not null and j.attributes is distinct from w.attributes)
), back as (
  update vod_migrate.objects o set gone = false
  from judged j
  where not :planning and j.gone and j.disposition in ('returned', 'queued_again') and o.source_id = :source_id and o.key = j.key
    and o.gone
  returning o.key, o.registered, o.code
), noted as (
  insert into vod_migrate.events (source_id, key, run_no, what) select :source_id, key, :run_no, 'returned' from back
), counted as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects)
  select :migration_id, :worker_no, state, code, sum(change) from (
    select 'gone' as state, '' as code, -1 as change from back
    union all
    select case when registered then 'registered' else 'failed' end, case when registered then '' else coalesce(code, 'no_code') end, 1
    from back
  ) changes group by state, code
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects
)
select case when disposition <> 'returned' then disposition when known_etag <> etag then 'changed' else 'unchanged' end as disposition,
       count(*) as objects
from judged group by 1
union all
select 'duplicate', cardinality(:keys::text[]) - count(*) from judged having cardinality(:keys::text[]) > count(*);

-- name: merge_broken
-- Rows of a manifest that cannot be used are failed objects of their own: never sent, and queued as soon as the row is right. An object
-- that is more than such a row stays as it is. planning: they are only counted. One row per code: how many failed so, and were spared.
with broken as materialized (
  select distinct on (b.key) b.key, b.code, b.message, o.registered, o.run_no, o.code as known_code, o.migration_id,
         o.registered is null
         or o.migration_id = :migration_id and not o.registered and not o.gone and starts_with(coalesce(o.code, ''), 'row_') as fails
  from unnest(:keys::text[], :codes::text[], :messages::text[]) with ordinality as b (key, code, message, place)
  left join vod_migrate.objects o on o.source_id = :source_id and o.key = b.key
  order by b.key, b.place
), failed as (
  insert into vod_migrate.objects as o (source_id, migration_id, run_no, registered, key, code, message)
  select :source_id, :migration_id, :run_no, false, key, code, message from broken where fails and not :planning order by key
  on conflict (source_id, key) do update
  set code = excluded.code, message = excluded.message, run_no = excluded.run_no, call_id = null, settled_at = now()
  where o.migration_id = excluded.migration_id and not o.registered and not o.gone and starts_with(coalesce(o.code, ''), 'row_')
  returning key, code, message
), news as materialized (
  -- A run counts a row once, however often it is read.
  select f.key, f.code, f.message, b.known_code, b.run_no from failed f join broken b using (key)
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key, code, message)
  select :source_id, :run_no, 'failed', key, code, message from news where run_no is distinct from :run_no
), counted as (
  insert into vod_migrate.counts as c (run_no, worker_no, outcome, code, objects)
  select :run_no, :worker_no, 'failed', code, sum(change) from (
    select code, 1 as change from news
    union all
    select known_code, -1 from news where run_no = :run_no
  ) changes group by code having sum(change) <> 0
  on conflict (run_no, worker_no, outcome, code) do update set objects = c.objects + excluded.objects
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects, first_key, last_key)
  select :migration_id, :worker_no, 'failed', code, sum(change), min(key), max(key) from (
    select code, 1 as change, case when known_code is null then key end as key from news
    union all
    select known_code, -1, null from news where known_code is not null
  ) changes group by code having sum(change) <> 0 or count(key) > 0
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects,
    first_key = least(t.first_key, excluded.first_key), last_key = greatest(t.last_key, excluded.last_key)
)
select code, count(*) filter (where fails) as failed, count(*) filter (where not fails) as spared from broken group by code;

-- name: note_missing!
-- Objects inside a listed stretch that the listing did not name: facts that were made before the page was fetched, `age` seconds ago by
-- the clock of this database, and work of this run that was queued before.
insert into vod_migrate.missing (scan_id, key)
select :scan_id, o.key from vod_migrate.objects o
where o.source_id = :source_id and o.migration_id = :migration_id and not o.gone and o.registered
  and o.key >= :first and o.key > :after and o.key <= :until and o.key <> all(:listed::text[])
  and o.settled_at < clock_timestamp() - make_interval(secs => :age)
  and not exists (
    select 1 from vod_migrate.events e
    where e.key = o.key and e.source_id = o.source_id and e.what = 'returned'
      and e.at >= clock_timestamp() - make_interval(secs => :age)
  )
union
select :scan_id, w.key from vod_migrate.work w
where w.source_id = :source_id and w.queue_no = :queue_no
  and w.key >= :first and w.key > :after and w.key <= :until and w.key <> all(:listed::text[])
on conflict do nothing;

-- name: mark_gone^
-- The prefix was listed to its end: what it no longer holds is gone. A gone object keeps its MediaId. What nobody has sent yet of it
-- is not sent. planning: facts are only counted.
with absent as materialized (
  delete from vod_migrate.missing where scan_id = :scan_id returning key
), gone as (
  update vod_migrate.objects o set gone = true
  from absent a
  where o.source_id = :source_id and o.key = a.key and o.migration_id = :migration_id and o.registered and not o.gone and not :planning
  returning o.key, o.registered, o.code
), planned as (
  select count(*) as objects from absent a join vod_migrate.objects o on o.source_id = :source_id and o.key = a.key
  where :planning and o.migration_id = :migration_id and o.registered and not o.gone
), unsent as (
  delete from vod_migrate.work w using absent a, vod_migrate.blocks b
  where w.source_id = :source_id and w.queue_no = :queue_no and w.key = a.key and b.block_id = w.block_id and b.token is null
  returning w.block_id, w.again
), shrunk as (
  update vod_migrate.blocks b set objects = b.objects - u.objects, again = b.again - u.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again from unsent group by block_id) u
  where b.block_id = u.block_id
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key) select :source_id, :run_no, 'gone', key from gone
), summed as (
  insert into vod_migrate.totals as t (migration_id, worker_no, state, code, objects)
  select :migration_id, :worker_no, state, code, sum(change) from (
    select 'gone' as state, '' as code, 1 as change from gone
    union all
    select 'registered', '', -1 from gone
  ) changes group by state, code
  on conflict (migration_id, worker_no, state, code) do update set objects = t.objects + excluded.objects
)
select (select count(*) from gone) + (select objects from planned) as gone, (select count(*) from unsent) as unsent;

-- name: forget_missing!
-- The candidates of a scan that is done.
delete from vod_migrate.missing where scan_id = :scan_id;

-- name: leftover_rows
-- A part of what ended runs of this migration left, by key; of mode failed, what runs of that mode left. An object that several left is
-- named once.
select distinct on (w.key) w.key, w.size, w.etag, w.last_modified, w.storage_class, w.attributes, w.same_as, w.attempts, w.no_answers,
       q.mode
from vod_migrate.work w join vod_migrate.queues q using (queue_no)
where w.source_id = :source_id and w.key > :after and w.queue_no = any(:queues::int[])
order by w.key, w.queue_no desc limit :most;

-- name: dead_queues
-- The queues that ended runs of this migration left, as far as a run of this mode takes them over.
select q.queue_no from vod_migrate.queues q
where q.migration_id = :migration_id and q.source_id = :source_id and q.gate = 'open' and q.queue_no <> :queue_no
  and (:mode <> 'failed' or q.mode = 'failed')
  and not exists (select 1 from vod_migrate.live_runs l where l.queue_no = q.queue_no)
  and exists (select 1 from vod_migrate.blocks b where b.queue_no = q.queue_no);

-- name: drop_leftovers!
-- These leftovers have been taken over, or left out by name: nobody else is to take them.
with dropped as (
  delete from vod_migrate.work w
  where w.source_id = :source_id and w.key = any(:keys::text[]) and w.queue_no = any(:queues::int[])
  returning block_id, again
)
update vod_migrate.blocks b set objects = b.objects - d.objects, again = b.again - d.again
from (select block_id, count(*) as objects, count(*) filter (where again) as again from dropped group by block_id) d
where b.block_id = d.block_id;

-- name: drop_empty_blocks!
-- Blocks of some queues that hold nothing.
delete from vod_migrate.blocks b
where b.queue_no = any(:queues::int[]) and not exists (select 1 from vod_migrate.work w where w.block_id = b.block_id);

-- name: close_empty_queues!
-- Ended queues with nothing in them are done.
update vod_migrate.queues q set gate = 'done'
where q.queue_no = any(:queues::int[]) and q.gate = 'open'
  and not exists (select 1 from vod_migrate.blocks b where b.queue_no = q.queue_no)
  and not exists (select 1 from vod_migrate.live_runs l where l.queue_no = q.queue_no);

-- name: approve_part
-- A stretch of keys of an approved run's queue, held against the queue of its plan: what the plan holds with the same etag stays; the rest
-- goes. One row per reason, with a few keys. `approved` are those that stay; `until` is the last key looked at.
with stretch as materialized (
  select distinct w.key from vod_migrate.work w
  where w.source_id = :source_id and w.key > :after and w.queue_no in (:queue_no, :plan_queue)
  order by w.key limit :most
), live as materialized (
  select l.queue_no from vod_migrate.live_runs l join vod_migrate.queues q using (queue_no)
  where l.source_id = :source_id and q.gate = 'open' and l.queue_no <> :queue_no
), compared as materialized (
  select s.key, exists (
           select 1 from vod_migrate.work w
           where w.source_id = :source_id and w.key = s.key and w.queue_no in (select queue_no from live)
         ) as elsewhere,
         mine.key is not null as listed, planned.key is not null as planned, mine.etag is not distinct from planned.etag as same,
         mine.block_id,
         (select count(*) from vod_migrate.objects o where o.source_id = :source_id and o.key = s.key and o.settled_at > :made_at) as facts
  from stretch s
  left join vod_migrate.work mine on mine.source_id = :source_id and mine.key = s.key and mine.queue_no = :queue_no
  left join vod_migrate.work planned on planned.source_id = :source_id and planned.key = s.key and planned.queue_no = :plan_queue
), judged as materialized (
  select key, block_id,
    case when planned and elsewhere then 'queued_elsewhere'
         when listed and planned and same then 'approved'
         when listed and planned then 'changed_since_plan'
         when listed then 'new_since_plan'
         when facts > 0 then 'settled_meanwhile'
         else 'vanished' end as reason
  from compared
), dropped as (
  delete from vod_migrate.work w using judged j
  where w.source_id = :source_id and w.queue_no = :queue_no and w.key = j.key and j.reason <> 'approved'
  returning w.block_id, w.again
), superseded as (
  -- What earlier runs left of these is sent from here.
  delete from vod_migrate.work w using judged j
  where w.source_id = :source_id and w.key = j.key and j.reason = 'approved' and w.queue_no = any(:leftover_queues::int[])
  returning w.block_id, w.again
), shrunk as (
  update vod_migrate.blocks b set objects = b.objects - d.objects, again = b.again - d.again
  from (select block_id, count(*) as objects, count(*) filter (where again) as again
        from (table dropped union all table superseded) gone group by block_id) d
  where b.block_id = d.block_id
)
select reason, count(*) as objects, max(key) as until, array_agg(key order by key) filter (where place <= 5) as samples
from (select judged.*, row_number() over (partition by reason order by key) as place from judged) placed group by reason;

-- name: planned_queue^
-- The queue of the plan that a queue is held against.
select planned.queue_no as plan_queue, planned.made_at from vod_migrate.queues q join vod_migrate.queues planned on planned.queue_no = q.plan_queue
where q.queue_no = :queue_no;

-- name: set_gate!
-- A queue's gate moves.
update vod_migrate.queues set gate = :gate where queue_no = :queue_no;
