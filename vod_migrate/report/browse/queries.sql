-- What the pages inside Airflow read. Every query takes :everything and :dags, the ids of the DAGs whose runs its reader may read, and shows
-- nothing of a migration that none of them has run (vod_migrate.readable); of runs, only those of these DAGs. :everything is for
-- administrators, who also see runs from the command line. Totals come from the counts; no query reads many more rows than it shows.
-- {order} and {beyond} are filled in by `Reader.rows`: desc and <, or asc and >.

-- name: run_lines
-- Runs, the newest first or the oldest: one by its id, those of a DAG run, of a DAG, or of a migration; with one state or mode.
select r.run_id, m.account, m.name as migration, r.mode, r.state, r.stop_code, r.dag_id, r.dag_run_id, r.task_group, r.execution,
       r.created_at as started, r.finished_at as finished,
       coalesce(c.registered, 0)::bigint as registered, coalesce(c.already_registered, 0)::bigint as already_registered,
       coalesce(c.failed, 0)::bigint as failed,
       case when r.summary is null then (
         select coalesce(sum(p.objects), 0)::bigint from vod_migrate.pending p where p.queue_no = r.queue_no)
       else coalesce((r.summary -> 'counts' ->> 'pending')::bigint, 0) + coalesce((r.summary -> 'counts' ->> 'unknown')::bigint, 0) end as left,
       (r.summary ->> 'calls')::bigint as calls
from (
  select * from vod_migrate.runs
  where (:everything::boolean or dag_id = any(:dags::text[]))
    and (:run_id::text is null or run_id = :run_id)
    and (:dag_id::text is null or dag_id = :dag_id)
    and (:dag_run_id::text is null or dag_run_id = :dag_run_id)
    and (:migration::text is null or migration_id = (
      select migration_id from vod_migrate.migrations where account = :account and name = :migration))
    and (:state::text is null or state = :state) and (:mode::text is null or mode = :mode)
    and (:beyond::timestamptz is null
         or (created_at, run_no) {beyond} (:beyond, (select run_no from vod_migrate.runs where run_id = :beyond_run::text)))
  order by created_at {order}, run_no {order} limit :most
) r
join vod_migrate.migrations m using (migration_id)
left join lateral (
  select sum(objects) filter (where outcome = 'registered') as registered,
         sum(objects) filter (where outcome = 'already_registered') as already_registered,
         sum(objects) filter (where outcome = 'failed') as failed
  from vod_migrate.counts where run_no = r.run_no
) c on true
order by r.created_at {order}, r.run_no {order};

-- name: migration_lines
-- Migrations by name: what became of their objects, their newest run, and the DAGs that run them.
select seen.migration_id, seen.account, seen.name as migration, seen.dag_ids, coalesce(p.pending, 0)::bigint as pending,
       coalesce(t.registered, 0)::bigint as registered, coalesce(t.failed, 0)::bigint as failed, coalesce(t.gone, 0)::bigint as gone,
       coalesce(last.timezone, 'UTC') as timezone, now() as now,
       last.run_id, last.bucket, last.state, last.dag_id, last.dag_run_id, last.started
from (
  select m.migration_id, m.account, m.name, array_agg(d.dag_id order by d.dag_id) filter (where d.dag_id <> '') as dag_ids
  from vod_migrate.migrations m join vod_migrate.migration_dags d using (migration_id)
  where (:everything::boolean or d.dag_id = any(:dags::text[]))
    and (:migration::text is null or (m.account = :account and m.name = :migration))
    and (:named::text is null or position(lower(:named) in lower(m.name)) > 0)
    and (:after_migration::text is null or (m.name, m.account) > (:after_migration, :after_account::text))
  group by m.migration_id order by m.name, m.account limit :most
) seen
left join lateral (
  select sum(objects) filter (where state = 'registered') as registered, sum(objects) filter (where state = 'failed') as failed,
         sum(objects) filter (where state = 'gone') as gone
  from vod_migrate.totals where migration_id = seen.migration_id
) t on true
left join lateral (
  select sum(held.unsettled) as pending from vod_migrate.queues q join vod_migrate.pending held using (queue_no)
  where q.migration_id = seen.migration_id and q.gate not in ('done', 'discarded') and q.gate = 'open'
) p on true
left join lateral (
  select r.run_id, s.bucket, r.state, r.dag_id, r.dag_run_id, r.created_at as started, r.spec ->> 'timezone' as timezone
  from vod_migrate.runs r join vod_migrate.sources s using (source_id)
  where r.migration_id = seen.migration_id and (:everything::boolean or r.dag_id = any(:dags::text[]))
  order by r.created_at desc, r.run_no desc limit 1
) last on true
order by seen.name, seen.account;

-- name: nights
-- What the runs of some migrations did by night: the date on which a run began, in the migration's own zone.
select m.migration_id, r.night as date, coalesce(sum(c.registered), 0)::bigint as registered, coalesce(sum(c.failed), 0)::bigint as failed,
       count(*) as runs
from unnest(:migrations::int[]) as m (migration_id)
cross join lateral (
  select run_no, (created_at at time zone coalesce(spec ->> 'timezone', 'UTC'))::date as night from vod_migrate.runs
  where migration_id = m.migration_id and created_at > now() - make_interval(days => :nights + 1)
    and (:everything::boolean or dag_id = any(:dags::text[]))
  order by created_at desc limit :most
) r
left join lateral (
  select sum(objects) filter (where outcome in ('registered', 'already_registered')) as registered,
         sum(objects) filter (where outcome = 'failed') as failed
  from vod_migrate.counts where run_no = r.run_no
) c on true
group by m.migration_id, r.night order by m.migration_id, r.night;

-- name: account_rates
-- The rate of every account that one of the reader's migrations uses, the share of it in force, and whether the database's clock was
-- set back lately.
select q.account, q.rate, vod_migrate.share(q.factor, q.cut_at) as share,
       case when q.reset_at > now() - interval '1 day' then q.reset_at end as clock_reset
from vod_migrate.quotas q
where q.api = 'RegisterMedia' and q.scope = ''
  and exists (
    select 1 from vod_migrate.migrations m
    where m.account = q.account and vod_migrate.readable(m.migration_id, :everything::boolean, :dags::text[])
  )
order by q.account limit :most;

-- name: account_users
-- The runs at work on some accounts, and their calls in the last seconds; what the reader may not see has no name.
select r.account, r.migration, r.run_id, coalesce(sum(t.calls), 0)::bigint as calls,
       coalesce(sum(t.calls) filter (where t.answer = 'throttled'), 0)::bigint as throttled
from (
  select m.account, r.run_no as sending, case when seen then m.name end as migration, case when seen then r.run_id end as run_id
  from vod_migrate.runs r join vod_migrate.migrations m using (migration_id)
  cross join lateral (select :everything::boolean or coalesce(r.dag_id = any(:dags::text[]), false)) as reader (seen)
  where r.state = 'running' and m.account = any(:accounts::text[])
) r
left join lateral (
  -- Whole stretches only: the one that has just begun is not over yet.
  select answer, calls from vod_migrate.rates
  where run_no = r.sending and stretch >= floor(extract(epoch from now() - make_interval(secs => :seconds)) / 5)::bigint
    and stretch < floor(extract(epoch from now()) / 5)::bigint
) t on true
group by r.account, r.migration, r.run_id order by r.account, r.migration nulls last, r.run_id;

-- name: search_migrations
-- The migrations that have objects, by name, and how many are known. Of one account or name where these are given.
select m.migration_id, m.account, m.name as migration,
       coalesce((select sum(t.objects) from vod_migrate.totals t
                 where t.migration_id = m.migration_id and t.state = any(:states::text[]) and (:code::text is null or t.code = :code)), 0)::bigint
       + case when 'pending' = any(:states::text[]) then coalesce((
           select sum(held.unsettled) from vod_migrate.queues q join vod_migrate.pending held using (queue_no)
           where q.migration_id = m.migration_id and q.gate not in ('done', 'discarded') and q.gate = 'open'), 0)::bigint
         else 0 end as objects
from vod_migrate.migrations m
where (:migration::text is null or m.name = :migration) and (:account::text is null or m.account = :account)
  and vod_migrate.readable(m.migration_id, :everything::boolean, :dags::text[])
order by m.name, m.account;

-- name: search_sources
-- The buckets that some migrations may have facts or work in; only those with a key in the wanted stretch. first_key, last_key: between
-- which the migration's facts lie; queues: whose work it still has to send, where that is looked for.
select m.migration_id, m.account, m.name as migration, s.source_id, s.bucket, e.first_key, e.last_key,
       case when :pending::boolean then array(
         select q.queue_no from vod_migrate.queues q
         where q.migration_id = m.migration_id and q.gate not in ('done', 'discarded') and q.gate = 'open') else '{}' end as queues
from vod_migrate.migrations m left join vod_migrate.extents e using (migration_id)
join vod_migrate.migration_sources p on p.migration_id = m.migration_id
join vod_migrate.sources s using (source_id)
where m.migration_id = any(:migrations::int[]) and (:bucket::text is null or s.bucket = :bucket)
  and (:first::text = ''
       or exists (select 1 from vod_migrate.objects o where o.source_id = s.source_id and o.key >= :first and o.key < :beyond)
       or exists (select 1 from vod_migrate.work w where w.source_id = s.source_id and w.key >= :first and w.key < :beyond))
  and vod_migrate.readable(m.migration_id, :everything::boolean, :dags::text[]);

-- name: search_codes
-- The codes of failed objects, the most frequent first: what a search may ask for.
select t.code, sum(t.objects)::bigint as objects
from vod_migrate.totals t join vod_migrate.migrations m using (migration_id)
where t.state = 'failed'
  and (:migration::text is null or m.name = :migration) and (:account::text is null or m.account = :account)
  and vod_migrate.readable(m.migration_id, :everything::boolean, :dags::text[])
group by t.code having sum(t.objects) > 0
order by objects desc, t.code limit :most;

-- name: fact_lines
-- A stretch of one migration's facts in one bucket by key, between two keys, forwards or backwards. One index, in its order.
select o.key, case when o.gone then 'gone' when o.registered then 'registered' else 'failed' end as state, o.code, o.media_id, o.size,
       o.settled_at as updated
from vod_migrate.objects o
where o.source_id = :source_id and o.key >= :first and o.key > :after and o.key < :beyond and o.migration_id = :migration_id
  and (:state::text is null or o.registered and not o.gone)
  and vod_migrate.readable(:migration_id, :everything::boolean, :dags::text[])
order by o.key {order} limit :most;

-- name: failed_lines
-- The same of objects that failed, each code in the order of its index.
select f.key, 'failed' as state, f.code, f.media_id, f.size, f.settled_at as updated
from unnest(:codes::text[]) as wanted (code)
cross join lateral (
  select * from vod_migrate.objects o
  where o.migration_id = :migration_id and o.code = wanted.code and o.source_id = :source_id
    and o.key >= :first and o.key > :after and o.key < :beyond and not o.registered
  order by o.key {order} limit :most
) f
where vod_migrate.readable(:migration_id, :everything::boolean, :dags::text[]);

-- name: gone_lines
-- The same of objects that are gone.
select o.key, 'gone' as state, o.code, o.media_id, o.size, o.settled_at as updated
from vod_migrate.objects o
where o.migration_id = :migration_id and o.source_id = :source_id and o.gone and o.key >= :first and o.key > :after and o.key < :beyond
  and vod_migrate.readable(:migration_id, :everything::boolean, :dags::text[])
order by o.key {order} limit :most;

-- name: pending_lines
-- The same of objects that are still to be sent and were never settled.
select w.key, 'pending' as state, null as code, null as media_id, w.size, q.made_at as updated
from (
  select * from vod_migrate.work w
  where w.source_id = :source_id and w.key >= :first and w.key > :after and w.key < :beyond
    and w.queue_no = any(:queues::int[]) and not w.again
  order by w.key {order} limit :most
) w
join vod_migrate.queues q using (queue_no)
where vod_migrate.readable(:migration_id, :everything::boolean, :dags::text[]);

-- name: objects_of_media
-- The objects of one MediaId: one, unless something is wrong.
select s.account, m.name as migration, s.bucket, o.key,
       case when o.gone then 'gone' when o.registered then 'registered' else 'failed' end as state, o.code, o.media_id, o.size,
       o.settled_at as updated
from vod_migrate.objects o
join vod_migrate.migrations m using (migration_id)
join vod_migrate.sources s on s.source_id = o.source_id
where o.source_id::text || ' ' || o.media_id = any(array(select source_id::text || ' ' || :media_id::text from vod_migrate.sources))
  and vod_migrate.readable(o.migration_id, :everything::boolean, :dags::text[])
order by m.name, s.account, o.key limit :most;

-- name: object_facts^
-- One object: its fact, and the work that is still to be done about it. work: the newest, of a queue that is open.
select s.source_id, s.account, m.name as migration, s.bucket, coalesce(o.key, w.key) as key,
       case when o.key is null then 'pending' when o.gone then 'gone' when o.registered then 'registered' else 'failed' end as state,
       o.code, o.media_id, coalesce(o.size, w.size) as size, coalesce(o.settled_at, w.made_at) as updated,
       coalesce(o.etag, w.etag) as etag, coalesce(o.last_modified, w.last_modified) as last_modified,
       coalesce(o.storage_class, w.storage_class) as storage_class, o.new_register, o.message, c.request_id,
       coalesce(o.sent, '{}') as description, coalesce(o.attributes, w.attributes, '{}') as attributes,
       coalesce(w.attempts, 0) as attempts, coalesce(w.no_answers, 0) as no_answers, coalesce(o.retries, 0) as retries,
       coalesce(w.unsure, false) as unsure, w.key is not null as queued,
       case when o.registered then o.settled_at end as registered, r.run_id,
       coalesce(r.region, (select region from vod_migrate.runs where migration_id = m.migration_id
                           order by created_at desc, run_no desc limit 1)) as region,
       d.cause, coalesce(d.certain, true) as certain, d.evidence, d.ruled_out
from vod_migrate.sources s
left join vod_migrate.objects o on o.source_id = s.source_id and o.key = :key
left join lateral (
  select w.*, q.migration_id, q.made_at from vod_migrate.work w join vod_migrate.queues q using (queue_no)
  where w.source_id = s.source_id and w.key = :key and q.gate = 'open' order by w.queue_no desc limit 1
) w on true
join vod_migrate.migrations m on m.migration_id = coalesce(o.migration_id, w.migration_id)
left join vod_migrate.calls c on c.call_id = o.call_id
left join vod_migrate.runs r on r.run_no = o.run_no
left join vod_migrate.diagnoses d on d.run_no = o.run_no and d.key = o.key and not o.registered
where s.account = :account and s.bucket = :bucket
  and vod_migrate.readable(m.migration_id, :everything::boolean, :dags::text[]);

-- name: object_events
-- What happened to one object, the newest first: its events, its registration, and the calls that carried it without an outcome for it.
-- Of runs that the reader may not see there is only an empty row.
select reader.seen, shown.*
from (
  select * from (
    select e.run_no, coalesce(c.started_at, e.at) as at, e.what as outcome, e.code, e.message, c.answer, c.http_status,
           c.code as call_code, c.message as call_message, c.request_id, c.seconds, c.files
    from vod_migrate.events e left join vod_migrate.calls c on c.call_id = e.call_id
    where e.key = :key and e.source_id = :source_id
    union all
    select o.run_no, coalesce(c.started_at, o.settled_at), case when o.new_register then 'registered' else 'already_registered' end, null,
           null, c.answer, c.http_status, c.code, c.message, c.request_id, c.seconds, c.files
    from vod_migrate.objects o left join vod_migrate.calls c on c.call_id = o.call_id
    where o.source_id = :source_id and o.key = :key and o.registered
    union all
    select c.run_no, c.started_at, null, null, null, c.answer, c.http_status, c.code, c.message, c.request_id, c.seconds, c.files
    from vod_migrate.calls c join vod_migrate.runs r using (run_no)
    where c.carried @> array[hashtextextended(:key, 0)] and r.source_id = :source_id
  ) every_one
  order by at desc limit :most
) e
left join vod_migrate.runs run on run.run_no = e.run_no
-- What happened between runs (a transfer) belongs to none.
cross join lateral (select :everything::boolean or e.run_no = 0 or coalesce(run.dag_id = any(:dags::text[]), false)) as reader (seen)
left join lateral (
  select run.run_id, run.dag_id, run.dag_run_id, e.at, e.outcome, e.code, e.message, e.answer, e.http_status, e.call_code,
         e.call_message, e.request_id, e.seconds, e.files
) shown on reader.seen
order by e.at desc;
