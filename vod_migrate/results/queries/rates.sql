-- The account's pace and the caps below it.

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
