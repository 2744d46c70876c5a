-- The results store, version 1. Later versions are the numbered files in schema/; `vod-migrate db upgrade` applies them in order.
--
-- Facts (objects) are kept for good: written once when a call is settled, and changed only by a newer fact.
-- Work (work, blocks, queues) is what a run still has to send; it goes away as it is settled.
-- Audit (calls, events, rates) says how it came about; `vod-migrate db prune` removes it by age.

create table vod_migrate.version (version integer not null);

create table vod_migrate.migrations (
  migration_id  integer primary key generated always as identity,
  account       text not null,
  name          text not null,
  unique (account, name)
);

create table vod_migrate.sources (
  source_id     integer primary key generated always as identity,
  account       text not null,
  bucket        text not null,
  unique (account, bucket)
);

-- Which DAGs run a migration: who may see what. '' stands for the command line.
create table vod_migrate.migration_dags (
  migration_id  integer not null,
  dag_id        text not null,
  primary key (migration_id, dag_id)
);
create index migration_dags_by_dag on vod_migrate.migration_dags (dag_id);

-- The buckets that a migration has run on, or got facts in from another one.
create table vod_migrate.migration_sources (
  migration_id  integer not null,
  source_id     integer not null,
  primary key (migration_id, source_id)
);

-- The work of one run, and of the runs that resume it. gate: open; planning: writes nothing but its own work; approving: approved, and
-- held until it was compared with the queue of its plan; done: nothing is left; discarded: its work is being deleted.
create table vod_migrate.queues (
  queue_no      integer primary key generated always as identity,
  migration_id  integer not null,
  source_id     integer not null,
  mode          text not null check (mode in ('new', 'failed', 'all')),
  gate          text not null check (gate in ('open', 'planning', 'approving', 'done', 'discarded')),
  plan_queue    integer,                   -- approving: the queue of the plan
  made_at       timestamptz not null default now()
);
create index queues_by_migration on vod_migrate.queues (migration_id) where gate not in ('done', 'discarded');

create table vod_migrate.runs (
  run_no        integer primary key generated always as identity,
  run_id        text not null unique,
  migration_id  integer not null,
  source_id     integer not null,
  queue_no      integer not null,          -- a resumed run has its predecessor's, and no row moves
  region        text not null,
  mode          text not null check (mode in ('new', 'failed', 'all')),
  options       jsonb not null,
  spec          jsonb not null,            -- the resolved migration file; every later task reads this
  spec_digest   text not null,
  local_date    date,                      -- the value of {{ date }} in prefixes
  origin        text not null check (origin in ('cli', 'airflow')),
  dag_id        text,
  dag_run_id    text,
  task_group    text,
  execution     integer not null default 1,  -- a cleared DAG run is a new run of the same origin
  state         text not null default 'running' check (state in (
                  'running', 'succeeded', 'failed', 'stopped', 'interrupted', 'paused', 'cancelled', 'planned')),
  stop_code     text check (stop_code in (  -- StopCode in results/stop.py
                  'paused', 'cancelled', 'window', 'pause_after', 'threshold', 'all_refused', 'canary_failed', 'first', 'first_failed', 'denied',
                  'invalid_credentials', 'suspended', 'account_stopped', 'misconfigured', 'rejected')),
  stop_message  text,
  stopped_by    text,                      -- who asked the run to pause or to end
  taken_objects bigint not null default 0, -- for pause_after: objects claimed so far, each once
  made_calls    bigint not null default 0, -- for pause_after: calls
  counted_before jsonb not null default '{}',  -- outcomes and code: objects, before it was reopened
  created_at    timestamptz not null default now(),
  reopened_at   timestamptz not null default now(),  -- one of its tasks was cleared after its end
  finished_at   timestamptz,
  summary       jsonb,                     -- the counts as they were reported
  exported      jsonb,                     -- the table that was written at its end: location, rows, bytes; since, until: what it holds
  unique (dag_id, dag_run_id, task_group, execution)
);
create index runs_by_migration on vod_migrate.runs (migration_id, created_at desc, run_no desc);
create index runs_by_dag on vod_migrate.runs (dag_id, created_at desc, run_no desc) where dag_id is not null;
create index runs_by_source on vod_migrate.runs (migration_id, source_id);
create index runs_by_queue on vod_migrate.runs (queue_no);
create index runs_running on vod_migrate.runs (migration_id) where state = 'running';

-- Which runs failed the objects that a run of mode failed sends again, and how many each.
create table vod_migrate.reruns (
  run_no        integer not null,
  parent_no     integer not null,
  objects       bigint not null,
  primary key (run_no, parent_no)
);
create index reruns_by_parent on vod_migrate.reruns (parent_no);

-- The one way to be alive: a lease that its worker renews. A retry takes the slot of its predecessor, and with it what that held.
-- Slots are the workers' own, and the roles 'discover' (lists) and 'canary' (sends the first files and objects), which a worker may hold beside its own.
create table vod_migrate.workers (
  run_no        integer not null,
  slot          text not null,
  worker_no     smallint not null,         -- whose rows of counts, rates and totals it adds to
  token         uuid not null,
  host          text not null,
  expires_at    timestamptz not null,
  primary key (run_no, slot)
);
create index workers_by_token on vod_migrate.workers (token);

-- Runs that somebody works on. In Airflow there are gaps between tasks and their retries, so silence must last longer there.
create view vod_migrate.live_runs as
select r.run_no, r.queue_no, r.migration_id, r.source_id
from vod_migrate.runs r
where r.state = 'running' and exists (
  select 1 from vod_migrate.workers w
  where w.run_no = r.run_no
    and w.expires_at > now() - case when r.origin = 'airflow' then interval '15 minutes' else interval '0' end
);

create table vod_migrate.scans (
  scan_id       bigint primary key generated always as identity,
  run_no        integer not null,
  position      integer not null,
  kind          text not null check (kind in ('prefix', 'rows', 'leftovers', 'approval')),
  prefix        text collate "C" not null,
  whole         boolean not null,          -- neither limit nor date filter: may mark objects as gone
  state         text not null default 'open' check (state in ('open', 'complete', 'limited', 'failed')),
  cursor        text,                      -- where the next page begins, as the source names it
  last_key      text collate "C",
  page_no       integer not null default 0,  -- compare-and-swap: a page is merged only onto the page before it
  page_nonce    uuid,                        -- of the attempt that merged the last page
  listed        bigint not null default 0,
  counts        jsonb not null default '{}',  -- disposition: objects
  left_out      jsonb not null default '{}',  -- reason: objects
  samples       jsonb not null default '{}',  -- reason: up to five keys
  notes         jsonb not null default '{}',  -- hints, expiries, what is to be restored; Notes in results/notes.py
  selected      bigint not null default 0,
  fingerprint   text not null default '',
  error_code    text check (error_code in (  -- SourceCode in results/stop.py
                  'source_unavailable', 'source_denied', 'bucket_missing', 'manifest_broken', 'listing_broken', 'bad_setting',
                  'denied', 'invalid_credentials', 'suspended', 'misconfigured', 'endpoint_refused', 'other')),
  error         text,
  started_at    timestamptz,
  finished_at   timestamptz,
  unique (run_no, kind, prefix)
);

-- What a listing found, a range of up to 1,000 keys at a time, so that the next one can tell what has not changed. A range begins after the
-- one before it. waiting: how many of its objects nobody has settled; null: it must be merged again. See results/listed_ranges.py.
create table vod_migrate.ranges (
  migration_id  integer not null,
  source_id     integer not null,
  prefix        text collate "C" not null,
  until         text collate "C" not null, -- its last key
  after         text collate "C" not null, -- where it began
  queue_no      integer not null,          -- of the run that merged it
  waiting       integer,
  listed        integer not null,
  due           timestamptz,               -- when what was decided about it ends by itself: a restored copy expires
  digest        bytea not null,            -- of its objects as OSS sent them
  rules         bytea not null,            -- of the rules by which it was merged
  told          jsonb not null,            -- what it adds to its scan
  primary key (migration_id, source_id, prefix, until)
);
create index ranges_waiting on vod_migrate.ranges (queue_no, prefix, until) where waiting > 0;

-- Keys that a listed stretch did not name; they count as gone only if the scan is complete.
create table vod_migrate.missing (
  scan_id       bigint not null,
  key           text collate "C" not null,
  primary key (scan_id, key)
);

-- Up to 500 objects that were queued together. token: who holds them; alone: each is sent in a call of its own, at the end.
create table vod_migrate.blocks (
  block_id      bigint primary key generated always as identity,
  queue_no      integer not null,
  scan_id       bigint,
  alone         boolean not null default false,
  objects       integer not null,          -- exact while nobody holds the block, as is the next
  again         integer not null default 0, -- how many of them have a fact
  taken_by      integer,                   -- the run that counted them for pause_after
  token         uuid
) with (fillfactor = 80);
create index blocks_by_queue on vod_migrate.blocks (queue_no, alone, block_id);
create index blocks_by_token on vod_migrate.blocks (token) where token is not null;

create table vod_migrate.work (
  source_id     integer not null,
  queue_no      integer not null,
  block_id      bigint not null,
  size          bigint,                    -- what a manifest may not say is null, here and below
  last_modified timestamptz,
  attempts      smallint not null default 0,    -- refusals of this object
  no_answers    smallint not null default 0,    -- replies that did not name it
  unsure        boolean not null default false, -- its last call may have had an effect
  again         boolean not null default false, -- there is a fact, by which it is counted
  key           text collate "C" not null,
  etag          text,
  storage_class text,
  attributes    jsonb,                     -- a manifest's columns, for templates
  same_as       text,                      -- a registered key with the same size and etag
  primary key (source_id, key, queue_no)
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.2);
create index work_by_block on vod_migrate.work (block_id);
create index work_unsure on vod_migrate.work (queue_no) where unsure;

-- What the blocks of a queue still hold. objects: to be sent; unsettled: those without a fact, by which the others are counted.
create view vod_migrate.pending as
select b.queue_no,
       case when b.token is null then b.objects
            else (select count(*) from vod_migrate.work w where w.block_id = b.block_id) end as objects,
       case when b.token is null then b.objects - b.again
            else (select count(*) from vod_migrate.work w where w.block_id = b.block_id and not w.again) end as unsettled
from vod_migrate.blocks b;

create table vod_migrate.objects (
  source_id     integer not null,
  migration_id  integer not null,          -- the owner
  run_no        integer not null,          -- the run that settled it
  registered    boolean not null,          -- or failed
  gone          boolean not null default false,
  new_register  boolean,
  retries       smallint not null default 0,  -- runs of mode new that tried it again
  size          bigint,
  last_modified timestamptz,
  settled_at    timestamptz not null default now(),
  call_id       bigint,
  key           text collate "C" not null,
  etag          text,
  storage_class text,
  media_id      text,
  sent          jsonb,                     -- the description as it was sent
  code          text,                      -- failed: why
  message       text,
  attributes    jsonb,                     -- failed: a manifest's columns, so that it can be described again
  same_as       text,                      -- a key that was registered before with the same size and etag
  primary key (source_id, key),
  -- A MediaId belongs to one object of a source. Looking a MediaId up goes by this index, too, and so by the same expression. Without a
  -- condition (it holds no nulls anyway), because the planner believes the statistics of an expression only where its index is not partial.
  constraint objects_media_id exclude using hash ((source_id::text || ' ' || media_id) with =)
);
create index objects_by_run on vod_migrate.objects (run_no);
create index objects_gone on vod_migrate.objects (migration_id, source_id, key) where gone;
-- What looks like a moved or copied file. Small files are often alike, and cheap to register twice.
create index objects_by_content on vod_migrate.objects (source_id, hashtext(etag))
  where registered and etag is not null and size >= 65536;
-- For exports of what has changed since a moment: results lie about as they were settled.
create index objects_settled on vod_migrate.objects using brin (settled_at) with (autosummarize = on);
create index objects_failed on vod_migrate.objects (migration_id, code, source_id, key) where not registered;

create table vod_migrate.calls (
  call_id       bigint primary key,        -- random, made by the worker, so that recording twice is harmless
  run_no        integer not null,
  worker_no     smallint not null,
  files         smallint not null,
  started_at    timestamptz not null,
  seconds       real not null,
  http_status   smallint,
  answer        text not null check (answer in ('ok', 'throttled', 'refused', 'transient', 'stopped')),
  request_id    text,
  code          text,
  message       text,
  carried       bigint[]                   -- hashes of its keys, where the answer had no outcome for each
);
create index calls_by_run on vod_migrate.calls (run_no, started_at);
create index calls_carried on vod_migrate.calls using gin (carried) where carried is not null;

-- What happened to an object, but for its newest fact; a registration is here when a newer fact took its place.
create table vod_migrate.events (
  at            timestamptz not null default now(),
  call_id       bigint,
  source_id     integer not null,
  run_no        integer not null,
  what          text not null check (what in (
                  'registered', 'failed', 'retry', 'unknown', 'late', 'gone', 'returned', 'transferred', 'imported', 'forgotten',
                  'updated')),
  key           text collate "C" not null,
  code          text,
  message       text
);
create index events_by_key on vod_migrate.events using hash (key);
create index events_by_time on vod_migrate.events using brin (at) with (autosummarize = on);
create index events_failed on vod_migrate.events (run_no, code, key) where what = 'failed';

-- Media that VOD's library has of a bucket's files and that no fact names, as the last walks through it found them. VOD does not list the
-- files of media, so what was asked once is kept.
create table vod_migrate.library (
  source_id     integer not null,
  media_id      text collate "C" not null,
  key           text collate "C" not null, -- of its file
  made_at       timestamptz not null,      -- by VOD's clock
  seen_at       timestamptz not null default now(),  -- by the last walk that saw it
  primary key (source_id, media_id)
);
create index library_by_key on vod_migrate.library (source_id, key);

-- What a run did, what its calls were answered, and how many facts a migration has: added to by whoever records, a row for each
-- worker so that none waits for another; what is shown is their sum.
create table vod_migrate.counts (
  run_no        integer not null,
  worker_no     smallint not null,
  outcome       text not null check (outcome in ('registered', 'already_registered', 'failed')),
  code          text not null,             -- of failed objects, else ''
  objects       bigint not null,
  primary key (run_no, worker_no, outcome, code)
) with (fillfactor = 50);

create table vod_migrate.rates (
  run_no        integer not null,
  stretch       bigint not null,           -- five seconds: the calls that began in it, counted from 1970
  worker_no     smallint not null,
  answer        text not null,
  calls         integer not null,
  files         integer not null,
  primary key (run_no, stretch, worker_no, answer)
) with (fillfactor = 80);

create table vod_migrate.totals (
  migration_id  integer not null,
  worker_no     smallint not null,
  state         text not null check (state in ('registered', 'failed', 'gone')),
  code          text not null,             -- of failed objects, else ''
  objects       bigint not null,
  first_key     text collate "C",          -- all facts of the migration lie between the first and the last key of its rows
  last_key      text collate "C",
  primary key (migration_id, worker_no, state, code)
) with (fillfactor = 50);

-- Where the facts of a migration begin and end: the rest of a bucket need not be read for them. They may not fill it.
create view vod_migrate.extents as
select migration_id, coalesce(min(first_key), '') as first_key, coalesce(max(last_key), '') as last_key
from vod_migrate.totals group by migration_id;

-- What people did. run_no: to which run, null where it was done to a migration, or, without one, to the account.
create table vod_migrate.actions (
  at            timestamptz not null default now(),
  account       text not null,
  migration_id  integer,
  run_no        integer,
  what          text not null check (what in (
                  'started', 'resumed', 'paused', 'cancelled', 'approved', 'rejected', 'run_rate', 'migration_rate', 'account_rate',
                  'discarded', 'transferred', 'repaired', 'updated')),
  who           text not null,
  detail        text not null
);
create index actions_by_run on vod_migrate.actions (run_no);
create index actions_by_account on vod_migrate.actions (account, at) where run_no is null;

-- Why an object of a run failed, as far as looking at it told.
create table vod_migrate.diagnoses (
  run_no        integer not null,
  key           text collate "C" not null,
  code          text not null,             -- with which it failed
  cause         text not null,             -- '': nothing was found
  certain       boolean not null,
  evidence      text not null,
  ruled_out     text[] not null,
  made_at       timestamptz not null default now(),
  primary key (run_no, key)
);

-- What was told about a run, so that nothing is told twice. opened_at: of the run when it was told; receiver: its place in the file.
create table vod_migrate.notices (
  run_no        integer not null,
  opened_at     timestamptz not null,
  event         text not null,
  receiver      smallint not null,
  told_at       timestamptz not null default now(),
  primary key (run_no, opened_at, event, receiver)
);

create table vod_migrate.plans (
  run_no        integer primary key,
  migration_id  integer not null,
  digest        text not null,             -- of the resolved file, the options and what was selected
  queue_no      integer not null,          -- exactly what would be sent
  body          jsonb not null,            -- what the plan says
  made_at       timestamptz not null default now(),
  approved      boolean,                   -- null: nobody has decided
  decided_by    text,
  decided_at    timestamptz
);
create index plans_by_digest on vod_migrate.plans (digest text_pattern_ops);
create index plans_by_migration on vod_migrate.plans (migration_id, made_at desc);

-- The first objects of a migration, which are sent before the rest if its file says so: what it has settled since a moment. held_by: the run
-- that works on them; sent_at: when all of them had been sent.
create table vod_migrate.firsts (
  migration_id  integer primary key,
  state         text not null check (state in ('open', 'asked', 'failed', 'passed')),
  since         timestamptz not null default now(),
  held_by       integer not null,
  sent_at       timestamptz
);

-- What VOD last said about media: of what a run registered, of its migration's first objects, or, asked under the newest run, of all that
-- its migration has.
create table vod_migrate.verifications (
  run_no        integer not null,
  scope         text not null check (scope in ('run', 'first', 'migration')),
  at            timestamptz not null default now(),
  millionths    integer not null,          -- how much of it was asked about, drawn by the seed
  seed          bigint not null,
  found         jsonb not null,            -- Verification in results/verifications.py
  primary key (run_no, scope)
);

create table vod_migrate.quotas (
  account       text not null,
  api           text not null,
  scope         text not null default '',  -- '' is the account itself; else a migration's or a run's own cap
  rate          double precision not null, -- calls per second
  next_at       timestamptz not null default '2000-01-01 00:00+00',
  factor        double precision not null default 1,  -- share of the rate in force at cut_at
  cut_at        timestamptz not null default '2000-01-01 00:00+00',
  taken_at      timestamptz[] not null default '{}',  -- when each priority (1 to 10, the index) last took a slot
  reset_at      timestamptz,               -- the clock had stepped back: next_at was beyond all that can have been reserved
  primary key (account, api, scope)
) with (fillfactor = 50);

-- The share of the rate in force now: slow to grow at first, so that a full account is probed seldom; then faster, so that a burst of
-- somebody else's is forgotten within 40 s. See rate/limiter.py. A cut from a clock that was ahead does not count.
create function vod_migrate.share(factor double precision, cut_at timestamptz) returns double precision
language sql volatile as $$
  select case when cut_at > clock_timestamp() + interval '60 s' then 1
              else least(1, factor + 0.006 * least(1, seconds) + 0.00001 * seconds * seconds * seconds) end
  from (select least(3600, greatest(0, extract(epoch from clock_timestamp() - cut_at)))::double precision) as since (seconds)
$$;

-- How far ahead a priority may reserve, in seconds. See rate/limiter.py.
create function vod_migrate.ahead(taken_at timestamptz[], priority int, rate double precision, ahead double precision,
                                  yielding double precision, busy double precision, lowest double precision)
returns double precision language sql volatile as $$
  select case
    when not exists (select 1 from unnest(taken_at[priority + 1:10]) as higher (at)
                     where at > clock_timestamp() - make_interval(secs => busy) and at < clock_timestamp() + interval '60 s') then ahead
    when taken_at[priority] is null
      or taken_at[priority] <= clock_timestamp() - make_interval(secs => 1 / (lowest * rate))
      or taken_at[priority] > clock_timestamp() + interval '60 s' then ahead
    else yielding
  end
$$;

-- Whether a migration may be read by somebody who may read the runs of these DAGs, or everything. See report/browse/access.py.
create function vod_migrate.readable(migration int, everything boolean, dags text[]) returns boolean
language sql stable as $$
  select exists (select 1 from vod_migrate.migration_dags where migration_id = migration and (everything or dag_id = any(dags)))
$$;
