-- name: run_facts^
-- The run itself, and the database's clock for one that is not finished.
select r.run_no, r.run_id, m.account, m.name as migration, s.bucket, r.mode, r.options, r.spec, r.local_date, r.origin, r.dag_id,
       r.dag_run_id, r.state, r.exported, r.stop_code, r.stop_message, r.created_at as started, r.finished_at as finished, now() as now
from vod_migrate.runs r
join vod_migrate.migrations m using (migration_id)
join vod_migrate.sources s on s.source_id = r.source_id
where r.run_id = :run_id;

-- name: previous_run^
-- The run of the same migration that began before this one; one that only planned does not count, nor one that only repaired results: it has
-- neither listed nor sent anything.
select p.run_id, p.state, p.created_at as started, extract(epoch from p.finished_at - p.created_at)::float8 as seconds
from vod_migrate.runs r
join vod_migrate.runs p on p.migration_id = r.migration_id and (p.created_at, p.run_no) < (r.created_at, r.run_no)
where r.run_no = :run_no and p.state <> 'planned'
  and (coalesce((p.summary ->> 'calls')::bigint, 1) > 0 or exists (select 1 from vod_migrate.scans s where s.run_no = p.run_no))
order by p.created_at desc, p.run_no desc limit 1;

-- name: related_runs
-- The runs that failed what this one sends again (`parent`), and those that sent its failures again; the most objects first. A plan sends
-- nothing.
select kin.parent, r.run_id, r.state, r.created_at as started, kin.objects,
       case when not kin.parent then r.options -> 'settings' end as settings
from (
  select true as parent, parent_no as run_no, objects from vod_migrate.reruns where run_no = :run_no
  union all
  select false, run_no, objects from vod_migrate.reruns where parent_no = :run_no
) kin
join vod_migrate.runs r using (run_no)
where kin.parent or r.state <> 'planned'
order by kin.objects desc, r.created_at desc limit :most;

-- name: call_totals
-- Calls by how they were answered, and the files they carried.
select answer, sum(calls)::bigint as calls, sum(files)::bigint as files from vod_migrate.rates where run_no = :run_no group by answer;

-- name: call_span^
-- When the run's first and last call began.
select min(started_at) as begin, max(started_at) as end from vod_migrate.calls where run_no = :run_no;

-- name: call_buckets
-- Calls per stretch of `width` seconds since the first, by how they were answered. As many rows as the chart has points.
select floor(extract(epoch from started_at - :begin::timestamptz) / :width)::int as bucket,
       count(*) filter (where answer = 'ok') as accepted,
       count(*) filter (where answer = 'throttled') as throttled,
       count(*) filter (where answer not in ('ok', 'throttled')) as other
from vod_migrate.calls where run_no = :run_no group by bucket order by bucket;

-- name: call_stretches
-- The same from the counted calls, for stretches of a multiple of five seconds: a long run has millions of calls.
select floor((stretch * 5 - floor(extract(epoch from :begin::timestamptz) / 5) * 5) / :width)::int as bucket,
       coalesce(sum(calls) filter (where answer = 'ok'), 0)::bigint as accepted,
       coalesce(sum(calls) filter (where answer = 'throttled'), 0)::bigint as throttled,
       coalesce(sum(calls) filter (where answer not in ('ok', 'throttled')), 0)::bigint as other
from vod_migrate.rates where run_no = :run_no group by bucket order by bucket;

-- name: account_rate$
-- The account's rate for RegisterMedia, in calls per second.
select rate from vod_migrate.quotas where account = :account and api = 'RegisterMedia' and scope = '';

-- name: failure_groups
-- The run's failures by code, the most frequent first.
select code, sum(objects)::bigint as objects
from vod_migrate.counts where run_no = :run_no and outcome = 'failed'
group by code having sum(objects) > 0 order by objects desc, code limit :most;

-- name: failure_samples
-- The first few failures of each code.
select wanted.code, e.key, e.message, c.request_id
from unnest(:codes::text[]) as wanted (code)
cross join lateral (
  select e.key, e.message, e.call_id from vod_migrate.events e
  where e.run_no = :run_no and e.what = 'failed' and e.code = wanted.code
    and not exists (
      select 1 from vod_migrate.objects o
      where o.source_id = e.source_id and o.key = e.key and o.run_no = e.run_no and o.registered
    )
  order by e.key limit :most
) e
left join vod_migrate.calls c on c.call_id = e.call_id
order by wanted.code, e.key;

-- name: actions_of_run
-- What people did to a run, and while it was under way to its migration and its account; the newest are left out beyond `most`.
select a.at, a.who, a.what, a.detail from vod_migrate.actions a where a.run_no = :run_no
union all
select a.at, a.who, a.what, a.detail
from vod_migrate.runs r
join vod_migrate.migrations m using (migration_id)
join vod_migrate.actions a on a.account = m.account and (a.migration_id is null or a.migration_id = m.migration_id)
where r.run_no = :run_no and a.run_no is null and a.at between r.created_at and coalesce(r.finished_at, now())
order by at limit :most;

-- name: diagnosed
-- What was found out about the run's failures: by code and cause, '' where no cause was found. certain: of all of them; samples: the first
-- few of each cause, with the evidence.
select found.*, s.samples
from (
  select code, cause, bool_and(certain) as certain, count(*)::bigint as objects
  from vod_migrate.diagnoses where run_no = :run_no and code = any(:codes::text[]) group by code, cause
) found
left join lateral (
  select array_agg(array[key, evidence] order by key) as samples from (
    select key, evidence from vod_migrate.diagnoses d
    where d.run_no = :run_no and d.code = found.code and d.cause = found.cause order by key limit :most
  ) few
) s on found.cause <> ''
order by found.objects desc, found.cause;

-- name: ruled_out
-- By code, the causes that were ruled out for every object that was examined without success. objects: how many these are.
select code, array_agg(cause order by place) as causes
from (
  select d.code, r.cause, min(r.place) as place, count(*) as objects
  from vod_migrate.diagnoses d, unnest(d.ruled_out) with ordinality as r (cause, place)
  where d.run_no = :run_no and d.code = any(:codes::text[]) and d.cause = '' group by d.code, r.cause
) each
join unnest(:codes::text[], :objects::bigint[]) as examined (code, objects) using (code, objects)
group by code;

-- name: scans_of_run
-- What the run lists, and how far that came. Of what it does besides, only what went wrong.
select kind, prefix, state, page_no as pages, listed, error_code, error,
       extract(epoch from coalesce(finished_at, now()) - started_at)::float8 as seconds
from vod_migrate.scans
where run_no = :run_no and (kind in ('prefix', 'rows') or state = 'failed')
order by position limit :most;

-- name: scan_samples
-- A few keys for each reason, and notes, by scan: of what was listed, of what earlier runs left, and of what was compared with a plan.
select kind, samples, notes from vod_migrate.scans where run_no = :run_no and (samples <> '{}' or notes <> '{}') order by position;

-- name: scan_totals^
-- How many prefixes the run has, and how many of them could not be listed.
select count(*) as prefixes, count(*) filter (where state = 'failed') as failed
from vod_migrate.scans where run_no = :run_no and kind in ('prefix', 'rows');

-- name: verifications_of_run
-- What VOD said when it was asked whether it can play what was registered, the newest first.
select scope, at, millionths, seed, found from vod_migrate.verifications where run_no = :run_no order by at desc;

-- name: failure_rows
-- Every failure of the run, in the order of OSS: the rows of the failures table. Read with a server-side cursor.
-- attempts: calls of this run that were answered about the object.
select s.bucket, e.key, e.code, e.message, c.request_id,
       (select count(*) from vod_migrate.events t
        where t.key = e.key and t.source_id = e.source_id and t.run_no = e.run_no and t.what in ('failed', 'retry') and t.call_id is not null
       ) as attempts,
       o.size, o.storage_class, o.last_modified
from (
  select distinct on (e.source_id, e.key) e.* from vod_migrate.runs r join vod_migrate.events e using (run_no)
  where r.run_id = :run_id and e.what = 'failed'
  order by e.source_id, e.key, e.at desc
) e
join vod_migrate.sources s using (source_id)
left join vod_migrate.objects o on o.source_id = e.source_id and o.key = e.key
left join vod_migrate.calls c on c.call_id = e.call_id
where not coalesce(o.run_no = e.run_no and o.registered, false)
order by e.source_id, e.key;  -- a run has one source: what was sorted once is joined row by row

-- name: result_sources
-- The buckets in which a run has results, or may have them where the whole migration is meant. first_key, last_key: between which all of
-- the migration's results are.
select r.migration_id, r.run_no, s.source_id, case when :whole then e.first_key end as first_key, case when :whole then e.last_key end as last_key
from vod_migrate.runs r
join vod_migrate.migration_sources p on p.migration_id = r.migration_id and (:whole or p.source_id = r.source_id)
join vod_migrate.sources s on s.source_id = p.source_id
left join vod_migrate.extents e on e.migration_id = r.migration_id
where r.run_id = :run_id
order by s.bucket collate "C";

-- name: result_rows
-- The facts of a run (run_no), or of its whole migration, in one bucket: the rows of an export and of the mapping tables. Read with a
-- server-side cursor, in the order of an index, so that nothing is sorted on disk. What changes a fact that stays the same otherwise (gone,
-- returned, transferred, updated) is in the events.
select s.bucket, o.key, case when o.gone then 'gone' when o.registered then 'registered' else 'failed' end as state, o.media_id,
       o.new_register, o.sent ->> 'Title' as title, o.code, o.message, o.size, o.etag, o.storage_class, o.last_modified, o.settled_at,
       r.run_id, o.same_as
from vod_migrate.objects o
join vod_migrate.sources s using (source_id)
left join vod_migrate.runs r on r.run_no = o.run_no
where o.source_id = :source_id
  and (:first_key::text is null or o.key between :first_key and :last_key)
  and (:run_no::int is null and o.migration_id = :migration_id or o.run_no = :run_no::int)
  and (:what <> 'mapping' or o.media_id is not null)
  and (:what <> 'failures' or not (o.registered or o.gone))
  and starts_with(o.key, :prefix)
  and (:since::timestamptz is null
       or not :few::boolean and (o.settled_at >= :since or o.key in (
         select e.key from vod_migrate.events e
         where e.source_id = :source_id and e.what in ('gone', 'returned', 'transferred', 'updated') and e.at >= :since))
       or :few::boolean and o.key = any(array(
         select n.key from vod_migrate.objects n where n.source_id = :source_id and n.settled_at >= :since
         union
         select e.key from vod_migrate.events e
         where e.source_id = :source_id and e.what in ('gone', 'returned', 'transferred', 'updated') and e.at >= :since)))
order by o.key;

-- name: few_changed$
-- Whether at most so many facts of a bucket have changed since a moment, so that they are better looked up than met on a walk through all.
select count(*) <= :most from (
  select from vod_migrate.objects n where n.source_id = :source_id and n.settled_at >= :since
  union all
  select from vod_migrate.events e
  where e.source_id = :source_id and e.what in ('gone', 'returned', 'transferred', 'updated') and e.at >= :since
  limit :most + 1
) changed;

-- name: migration_dags
-- Every DAG that has run a migration, for the one question who may change it.
select d.dag_id from vod_migrate.migrations m join vod_migrate.migration_dags d using (migration_id)
where m.account = :account and m.name = :migration;
