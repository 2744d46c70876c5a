-- name: run_facts^
-- The run itself, and the database's clock for one that is not finished.
select run_id, account, migration, bucket, mode, options, spec, local_date, origin, dag_id, dag_run_id, state, stop_code,
       stop_message, created_at, finished_at, now()
from runs where run_id = :run_id;

-- name: previous_run^
-- The run of the same migration that began before this one; one that only planned is none.
select p.run_id, p.state, p.created_at, p.finished_at
from runs r
join runs p on p.account = r.account and p.migration = r.migration
           and (p.created_at, p.run_id) < (r.created_at, r.run_id)
where r.run_id = :run_id and p.state <> 'planned'
order by p.created_at desc, p.run_id desc limit 1;

-- name: call_totals
-- Calls by how they were answered, and the files they carried.
select answer, sum(calls)::bigint, sum(files)::bigint from call_tallies where run_id = :run_id group by answer;

-- name: call_span^
-- When the run's first and last call began.
select min(started_at), max(started_at) from calls where run_id = :run_id;

-- name: call_buckets
-- Calls per stretch of `width` seconds since the first, by how they were answered. As many rows as the chart has points.
select floor(extract(epoch from started_at - :begin::timestamptz) / :width)::int as bucket,
       count(*) filter (where answer = 'ok'),
       count(*) filter (where answer = 'throttled'),
       count(*) filter (where answer not in ('ok', 'throttled'))
from calls where run_id = :run_id group by bucket order by bucket;

-- name: call_stretches
-- The same from the tally of calls, for stretches of a multiple of five seconds: a long run has millions of calls.
select floor((stretch * 5 - floor(extract(epoch from :begin::timestamptz) / 5) * 5) / :width)::int as bucket,
       coalesce(sum(calls) filter (where answer = 'ok'), 0)::bigint,
       coalesce(sum(calls) filter (where answer = 'throttled'), 0)::bigint,
       coalesce(sum(calls) filter (where answer not in ('ok', 'throttled')), 0)::bigint
from call_tallies where run_id = :run_id group by bucket order by bucket;

-- name: account_rate$
-- The account's rate for RegisterMedia, in calls per second.
select rate from quotas where account = :account and api = 'RegisterMedia' and scope = '';

-- name: failure_groups
-- The run's failures by code, the most frequent first.
select code, sum(objects)::bigint as files
from outcome_tallies where run_id = :run_id and outcome = 'failed'
group by code having sum(objects) > 0 order by files desc, code limit :most;

-- name: failure_samples
-- The first few failures of each code. The message is the result's while no later run has touched it.
select failure, r.key,
       case when r.state = 'failed' and r.settled_run = :run_id then r.message else c.message end,
       case when r.state = 'failed' and r.settled_run = :run_id then r.request_id else c.request_id end
from unnest(:codes::text[]) as wanted (failure)
cross join lateral (
  select result_id, call_id from outcomes
  where run_id = :run_id and outcome = 'failed' and coalesce(code, 'no_code') = failure
  order by result_id limit :most
) o
join results r on r.result_id = o.result_id
left join calls c on c.call_id = o.call_id
order by failure, o.result_id;

-- name: left_out_samples
-- A few keys for each reason, by scan.
select samples from scans where run_id = :run_id and samples <> '{}' order by position;

-- name: scans_of_run
-- The prefixes of the run and how far their listing came.
select prefix, state, pages, listed, error_code, error, extract(epoch from coalesce(finished_at, now()) - started_at)::float8
from scans where run_id = :run_id order by position limit :most;

-- name: scan_totals^
-- How many prefixes the run has, and how many of them could not be listed.
select count(*), count(*) filter (where state = 'failed') from scans where run_id = :run_id;

-- name: failure_rows
-- Every failure of the run, in the order of OSS: the rows of the failures table. Read with a server-side cursor.
select r.bucket, r.key, coalesce(o.code, 'no_code'),
       case when r.state = 'failed' and r.settled_run = :run_id then r.message else c.message end,
       case when r.state = 'failed' and r.settled_run = :run_id then r.request_id else c.request_id end,
       case when r.state = 'failed' and r.settled_run = :run_id then r.attempts end,
       r.size, r.storage_class, to_char(r.last_modified at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from outcomes o
join results r on r.result_id = o.result_id
left join calls c on c.call_id = o.call_id
where o.run_id = :run_id and o.outcome = 'failed'
order by r.bucket, r.key;

-- name: mapping_of_run
-- Object and MediaId for what this run registered or found registered. Read with a server-side cursor.
select r.bucket, r.key, r.media_id, r.new_register::text, r.description ->> 'Title', r.size, r.etag, r.storage_class,
       to_char(r.registered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), r.settled_run
from results r
where r.media_id is not null and r.result_id in (
  select result_id from outcomes where run_id = :run_id and outcome in ('registered', 'already_registered')
)
order by r.bucket, r.key;

-- name: mapping_of_migration
-- Object and MediaId for everything that the run's migration has registered so far. Read with a server-side cursor.
select r.bucket, r.key, r.media_id, r.new_register::text, r.description ->> 'Title', r.size, r.etag, r.storage_class,
       to_char(r.registered_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), r.settled_run
from runs
join results r on r.account = runs.account and r.migration = runs.migration
where runs.run_id = :run_id and r.media_id is not null
order by r.bucket, r.key;
