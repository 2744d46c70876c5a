-- What the pages inside Airflow read. Every query takes :everything and :dags, the ids of the DAGs whose runs its reader may read, and shows
-- nothing of a migration that none of them has run; of runs, only those of these DAGs. :everything is for administrators, who also see
-- runs from the command line. Totals come from the tallies; no query reads many more rows than it shows.

-- name: run_lines
-- Runs, the newest first: one by its id, those of a DAG run, of a DAG, or of a migration.
select r.run_id, r.account, r.migration, r.bucket, r.mode, r.state, r.stop_code, r.stop_message, r.origin, r.dag_id, r.dag_run_id,
       r.task_group, r.execution, r.created_at, r.finished_at, coalesce(r.spec ->> 'timezone', 'UTC'),
       coalesce(t.registered, 0)::bigint, coalesce(t.already_registered, 0)::bigint, coalesce(t.failed, 0)::bigint,
       (coalesce((r.summary #>> '{counts,pending}')::bigint, 0) + coalesce((r.summary #>> '{counts,unknown}')::bigint, 0))
from (
  select * from runs
  where (:everything::boolean or dag_id = any(:dags::text[]))
    and (:run_id::text is null or run_id = :run_id)
    and (:dag_id::text is null or dag_id = :dag_id)
    and (:dag_run_id::text is null or dag_run_id = :dag_run_id)
    and (:migration::text is null or (account = :account and migration = :migration))
    and (:before::timestamptz is null or (created_at, run_id) < (:before, :before_run::text))
  order by created_at desc, run_id desc limit :most
) r
left join lateral (
  select sum(objects) filter (where outcome = 'registered') as registered,
         sum(objects) filter (where outcome = 'already_registered') as already_registered,
         sum(objects) filter (where outcome = 'failed') as failed
  from outcome_tallies where run_id = r.run_id
) t on true
order by r.created_at desc, r.run_id desc;

-- name: migration_lines
-- Migrations by name: what became of their objects, their newest run, and the DAGs that run them.
select m.account, m.migration, m.dag_ids, coalesce(t.pending, 0)::bigint, coalesce(t.registered, 0)::bigint,
       coalesce(t.failed, 0)::bigint, coalesce(t.gone, 0)::bigint,
       last.run_id, last.bucket, last.mode, last.state, last.dag_id, last.dag_run_id, last.created_at, last.finished_at,
       coalesce(last.timezone, 'UTC')
from (
  select account, migration, array_agg(dag_id order by dag_id) filter (where dag_id <> '') as dag_ids
  from migration_dags
  where (:everything::boolean or dag_id = any(:dags::text[]))
    and (:migration::text is null or (account = :account and migration = :migration))
    and (:after_migration::text is null or (migration, account) > (:after_migration, :after_account::text))
  group by account, migration order by migration, account limit :most
) m
left join lateral (
  select sum(objects) filter (where state = 'pending') as pending, sum(objects) filter (where state = 'registered') as registered,
         sum(objects) filter (where state = 'failed') as failed, sum(objects) filter (where state = 'gone') as gone
  from result_tallies where account = m.account and migration = m.migration
) t on true
left join lateral (
  select run_id, bucket, mode, state, dag_id, dag_run_id, created_at, finished_at, spec ->> 'timezone' as timezone
  from runs
  where account = m.account and migration = m.migration and (:everything::boolean or dag_id = any(:dags::text[]))
  order by created_at desc limit 1
) last on true
order by m.migration, m.account;

-- name: nights
-- What the runs of some migrations did by night: the date on which a run began, in the migration's own zone.
select m.account, m.migration, r.night, coalesce(sum(t.registered), 0)::bigint, coalesce(sum(t.failed), 0)::bigint, count(*)
from unnest(:accounts::text[], :migrations::text[]) as m (account, migration)
cross join lateral (
  select run_id, (created_at at time zone coalesce(spec ->> 'timezone', 'UTC'))::date as night from runs
  where account = m.account and migration = m.migration and created_at > now() - make_interval(days => :nights + 1)
    and (:everything::boolean or dag_id = any(:dags::text[]))
  order by created_at desc limit :most
) r
left join lateral (
  select sum(objects) filter (where outcome in ('registered', 'already_registered')) as registered,
         sum(objects) filter (where outcome = 'failed') as failed
  from outcome_tallies where run_id = r.run_id
) t on true
group by m.account, m.migration, r.night order by m.account, m.migration, r.night;

-- name: account_rates
-- The rate of every account that one of the reader's migrations uses, and the share of it in force.
select q.account, q.rate, vod_migrate_share(q.factor, q.cut_at)
from quotas q
where q.api = 'RegisterMedia' and q.scope = ''
  and exists (
    select 1 from migration_dags d
    where d.account = q.account and (:everything::boolean or d.dag_id = any(:dags::text[]))
  )
order by q.account limit :most;

-- name: account_users
-- The runs at work on some accounts, and their calls in the last seconds; what the reader may not see has no name.
select r.account, r.migration, r.run_id, coalesce(sum(t.calls), 0)::bigint,
       coalesce(sum(t.calls) filter (where t.answer = 'throttled'), 0)::bigint
from (
  select account, run_id as sending, case when seen then migration end as migration, case when seen then run_id end as run_id
  from runs
  cross join lateral (select :everything::boolean or coalesce(dag_id = any(:dags::text[]), false)) as reader (seen)
  where state = 'running' and account = any(:accounts::text[])
) r
left join lateral (
  -- Whole stretches only: the one that has just begun is not over yet.
  select answer, calls from call_tallies
  where run_id = r.sending and stretch >= floor(extract(epoch from now() - make_interval(secs => :seconds)) / 5)
    and stretch < floor(extract(epoch from now()) / 5)
) t on true
group by r.account, r.migration, r.run_id order by r.account, r.migration nulls last, r.run_id;

-- name: search_places
-- The migrations that hold objects of the wanted states and code, by name, and how many; only those with a key in the wanted stretch.
select d.account, d.migration, sum(t.objects)::bigint as objects
from (
  select distinct account, migration from migration_dags
  where (:everything::boolean or dag_id = any(:dags::text[]))
    and (:migration::text is null or migration = :migration) and (:account::text is null or account = :account)
) d
join result_tallies t on t.account = d.account and t.migration = d.migration
where t.state = any(:states::text[]) and (:code::text is null or t.code = :code)
  and (:first::text = '' or :code is not null or exists (
    select 1 from results r
    where r.account = d.account and r.migration = d.migration and r.state = any(:states::text[])
      and r.key >= :first and (:beyond::text is null or r.key < :beyond)
  ))
group by d.account, d.migration having sum(t.objects) > 0
order by d.migration, d.account;

-- name: search_codes
-- The codes of failed objects, the most frequent first: what a search may ask for.
select t.code, sum(t.objects)::bigint as objects
from (
  select distinct account, migration from migration_dags
  where (:everything::boolean or dag_id = any(:dags::text[]))
    and (:migration::text is null or migration = :migration) and (:account::text is null or account = :account)
) d
join result_tallies t on t.account = d.account and t.migration = d.migration
where t.state = 'failed' group by t.code having sum(t.objects) > 0
order by objects desc, t.code limit :most;

-- name: objects_after
-- A page of one migration's objects by key, from a place on. Each state is read in the order of its index, and they are merged.
-- Written out for each state: only so does Postgres merge the four as it reads, and stops at the page's end.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at
from (
  select result_id, key from (
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'failed' and 'failed' = any(:states::text[])
       and (:beyond::text is null or key < :beyond) and (:bucket::text is null or bucket = :bucket)
       and (key, result_id) > (:key::text, :result_id::bigint)
     order by key, result_id limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'gone' and 'gone' = any(:states::text[])
       and (:beyond::text is null or key < :beyond) and (:bucket::text is null or bucket = :bucket)
       and (key, result_id) > (:key::text, :result_id::bigint)
     order by key, result_id limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'pending' and 'pending' = any(:states::text[])
       and (:beyond::text is null or key < :beyond) and (:bucket::text is null or bucket = :bucket)
       and (key, result_id) > (:key::text, :result_id::bigint)
     order by key, result_id limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'registered' and 'registered' = any(:states::text[])
       and (:beyond::text is null or key < :beyond) and (:bucket::text is null or bucket = :bucket)
       and (key, result_id) > (:key::text, :result_id::bigint)
     order by key, result_id limit :most)
  ) every_state
  order by key, result_id limit :most
) page
join results r on r.result_id = page.result_id
where exists (
  select 1 from migration_dags d
  where d.account = :account and d.migration = :migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
)
order by page.key, page.result_id;

-- name: objects_before
-- The page that ends before a place, backwards.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at
from (
  select result_id, key from (
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'failed' and 'failed' = any(:states::text[])
       and key >= :first::text and (:bucket::text is null or bucket = :bucket)
       and (:key::text is null or (key, result_id) < (:key, :result_id::bigint))
     order by key desc, result_id desc limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'gone' and 'gone' = any(:states::text[])
       and key >= :first::text and (:bucket::text is null or bucket = :bucket)
       and (:key::text is null or (key, result_id) < (:key, :result_id::bigint))
     order by key desc, result_id desc limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'pending' and 'pending' = any(:states::text[])
       and key >= :first::text and (:bucket::text is null or bucket = :bucket)
       and (:key::text is null or (key, result_id) < (:key, :result_id::bigint))
     order by key desc, result_id desc limit :most)
    union all
    (select result_id, key from results
     where account = :account and migration = :migration and state = 'registered' and 'registered' = any(:states::text[])
       and key >= :first::text and (:bucket::text is null or bucket = :bucket)
       and (:key::text is null or (key, result_id) < (:key, :result_id::bigint))
     order by key desc, result_id desc limit :most)
  ) every_state
  order by key desc, result_id desc limit :most
) page
join results r on r.result_id = page.result_id
where exists (
  select 1 from migration_dags d
  where d.account = :account and d.migration = :migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
)
order by page.key desc, page.result_id desc;

-- name: failed_after
-- A page of one migration's objects that failed with one code, by key, from a place on.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at
from results r
where r.account = :account and r.migration = :migration and r.state = 'failed' and coalesce(r.code, 'no_code') = :code
  and (:beyond::text is null or r.key < :beyond) and (:bucket::text is null or r.bucket = :bucket)
  and (r.key, r.result_id) > (:key::text, :result_id::bigint)
  and exists (
    select 1 from migration_dags d
    where d.account = :account and d.migration = :migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
  )
order by r.key, r.result_id limit :most;

-- name: failed_before
-- The page that ends before a place, backwards.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at
from results r
where r.account = :account and r.migration = :migration and r.state = 'failed' and coalesce(r.code, 'no_code') = :code
  and r.key >= :first::text and (:bucket::text is null or r.bucket = :bucket)
  and (:key::text is null or (r.key, r.result_id) < (:key, :result_id::bigint))
  and exists (
    select 1 from migration_dags d
    where d.account = :account and d.migration = :migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
  )
order by r.key desc, r.result_id desc limit :most;

-- name: objects_of_media
-- The objects of one MediaId: one, unless something is wrong.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at
from results r
where r.media_id = :media_id
  and exists (
    select 1 from migration_dags d
    where d.account = r.account and d.migration = r.migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
  )
order by r.migration, r.account, r.key, r.result_id limit :most;

-- name: object_facts^
-- One object: all that is known about it.
select r.result_id, r.account, r.migration, r.bucket, r.key, r.state, r.code, r.media_id, r.size, r.updated_at,
       r.etag, r.last_modified, r.storage_class, r.state_before_gone, r.new_register, r.message, r.request_id, r.description,
       r.attributes, r.attempts, r.no_answers, r.nights, r.alone, r.unsure, r.discovered_at, r.registered_at,
       (select array_agg(d.dag_id order by d.dag_id) from migration_dags d
        where d.account = r.account and d.migration = r.migration and d.dag_id <> ''
          and (:everything::boolean or d.dag_id = any(:dags::text[])))
from results r
where r.result_id = :result_id
  and exists (
    select 1 from migration_dags d
    where d.account = r.account and d.migration = r.migration and (:everything::boolean or d.dag_id = any(:dags::text[]))
  );

-- name: object_calls
-- What happened to one object, the newest first: calls that carried it, with what they meant for it, and outcomes without a call.
-- Of runs that the reader may not see there is only an empty row.
select reader.seen, shown.*
from (
  select * from (
    select o.run_id, coalesce(c.started_at, o.recorded_at) as at, o.outcome, o.code, c.answer, c.http_status, c.code as call_code,
           c.message, c.request_id, c.seconds, c.files, c.worker
    from outcomes o left join calls c on c.call_id = o.call_id
    where o.result_id = :result_id
    union all
    select run_id, started_at, null, null, answer, http_status, code, message, request_id, seconds, files, worker
    from calls where carried @> array[:result_id::bigint]
  ) every_one
  where exists (
    select 1 from results r join migration_dags d on d.account = r.account and d.migration = r.migration
    where r.result_id = :result_id and (:everything::boolean or d.dag_id = any(:dags::text[]))
  )
  order by at desc limit :most
) e
join runs run on run.run_id = e.run_id
cross join lateral (select :everything::boolean or coalesce(run.dag_id = any(:dags::text[]), false)) as reader (seen)
left join lateral (
  select run.run_id, run.dag_id, run.dag_run_id, e.at, e.outcome, e.code, e.answer, e.http_status, e.call_code, e.message,
         e.request_id, e.seconds, e.files, e.worker
) shown on reader.seen
order by e.at desc;
