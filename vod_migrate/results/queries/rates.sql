-- The account's rate and the caps below it.

-- name: keep_quota$
-- The account's row for one API: made once, then its rate is what counts.
with made as (
  insert into vod_migrate.quotas (account, api, scope, rate) values (:account, :api, '', :rate) on conflict do nothing
)
select rate from vod_migrate.quotas where account = :account and api = :api and scope = '';

-- name: set_rate!
-- A person changes a rate: what an old, slower one has booked ahead is forgotten.
insert into vod_migrate.quotas as q (account, api, scope, rate) values (:account, :api, :scope, :rate)
on conflict (account, api, scope) do update
set rate = excluded.rate, next_at = least(q.next_at, clock_timestamp() + make_interval(secs => 1 / excluded.rate));

-- name: keep_cap!
-- A migration's or a run's own rate below the account's.
insert into vod_migrate.quotas (account, api, scope, rate) values (:account, :api, :scope, :rate)
on conflict (account, api, scope) do update set rate = excluded.rate;

-- name: settle_migration_cap!
-- A run begins: its migration's own rate is what the file says (null: none), unless a run under way goes by what is there.
with others as (
  select 1 from vod_migrate.runs where migration_id = :migration_id and run_no <> :run_no and state = 'running' limit 1
), dropped as (
  delete from vod_migrate.quotas
  where account = :account and api = :api and scope = 'migration:' || :migration and :rate::float8 is null
    and not exists (select 1 from others)
)
insert into vod_migrate.quotas (account, api, scope, rate)
select :account, :api, 'migration:' || :migration, :rate::float8 where :rate::float8 is not null
on conflict (account, api, scope) do update set rate = excluded.rate where not exists (select 1 from others);

-- name: drop_cap!
-- A run's cap ends with the run.
delete from vod_migrate.quotas where account = :account and api = :api and scope = :scope;

-- name: list_quotas
-- Every rate, and the share of it in force.
select account, api, scope, rate, vod_migrate.share(factor, cut_at) as share, reset_at from vod_migrate.quotas order by account, api, scope;

-- name: reserve_slots^
-- Some send times: until when the rate is booked then, in seconds from now, and the interval between them; no row when the last
-- would lie further ahead than allowed, which is less for a lower priority while a higher one has work. See rate/limiter.py.
-- A slot that a crash forgets costs nothing; waiting for the disk 50 times a second would.
update vod_migrate.quotas q
set next_at = greatest(q.next_at, clock_timestamp()) + make_interval(secs => :count / (q.rate * vod_migrate.share(q.factor, q.cut_at))),
    taken_at[:priority::int] = clock_timestamp()
from (select set_config('synchronous_commit', 'off', true)) as quick
where q.account = :account and q.api = :api and q.scope = :scope
  and greatest(q.next_at, clock_timestamp()) + make_interval(secs => (:count - 1) / (q.rate * vod_migrate.share(q.factor, q.cut_at)))
      <= clock_timestamp() + make_interval(secs => vod_migrate.ahead(
        q.taken_at, :priority::int, q.rate * vod_migrate.share(q.factor, q.cut_at), :ahead, :yielding, :busy, :lowest))
returning extract(epoch from q.next_at - clock_timestamp())::float8 as booked_until,
          1 / (q.rate * vod_migrate.share(q.factor, q.cut_at)) as interval;

-- name: seconds_to_slot^
-- After how many seconds a slot may be asked for again, where there was none; no row where there is no such rate. Beyond `most` seconds
-- past the next slot nothing can have been reserved: the clock of the database stepped back, and the row begins anew.
with stepped as (
  update vod_migrate.quotas q
  set next_at = clock_timestamp(), cut_at = least(q.cut_at, clock_timestamp()), taken_at = '{}', reset_at = clock_timestamp()
  where q.account = :account and q.api = :api and q.scope = :scope
    and q.next_at > clock_timestamp() + make_interval(secs => :ahead + :most_pause + 2 / (q.rate * vod_migrate.share(q.factor, q.cut_at)))
  returning 1
)
select case when exists (select 1 from stepped) then 0
            else greatest(0, extract(epoch from q.next_at - clock_timestamp()) - vod_migrate.ahead(
                   q.taken_at, :priority::int, q.rate * vod_migrate.share(q.factor, q.cut_at), :ahead, :yielding, :busy, :lowest))
       end::float8 as seconds,
       exists (select 1 from stepped) as stepped_back
from vod_migrate.quotas q where q.account = :account and q.api = :api and q.scope = :scope;

-- name: slow_down!
-- The service throttled a call: everybody on the account slows down a little, once for each such call.
update vod_migrate.quotas
set factor = greatest(:lowest, vod_migrate.share(factor, cut_at)
                               * greatest(1 - :most_cut, 1 - :cut / (rate * vod_migrate.share(factor, cut_at)))),
    cut_at = clock_timestamp(),
    next_at = greatest(next_at, clock_timestamp() + make_interval(secs => :pause))
where account = :account and api = :api and scope = '';

-- name: connections_of_account
-- The Airflow connections whose runs share an account's rates.
select distinct r.spec ->> 'connection' as connection
from vod_migrate.runs r join vod_migrate.migrations m using (migration_id)
where m.account = :account and r.origin = 'airflow' and r.spec ->> 'connection' is not null order by 1;
