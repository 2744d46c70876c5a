"""Runs, scans, results, claims, calls, outcomes, quotas.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table runs (
      run_id        text primary key,
      account       text not null,
      region        text not null default '',
      migration     text not null,
      bucket        text not null,
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
      state         text not null check (state in ('running', 'succeeded', 'failed', 'stopped', 'interrupted')),
      stop_code     text,                      -- why workers must stop, set by the one that found out
      stop_message  text,
      created_at    timestamptz not null default now(),
      alive_at      timestamptz not null default now(),   -- last sign of life of one of its tasks
      reopened_at   timestamptz not null default now(),   -- one of its tasks was cleared after its end
      finished_at   timestamptz,
      summary       jsonb,                     -- the counts as they were reported
      unique (dag_id, dag_run_id, task_group, execution)
    )
    """,
    "create index runs_by_migration on runs (account, migration, created_at desc)",
    """
    create table scans (
      scan_id       bigint generated always as identity primary key,
      run_id        text not null references runs on delete cascade,
      prefix        text collate "C" not null,
      position      integer not null,
      state         text not null default 'open' check (state in ('open', 'complete', 'limited', 'failed')),
      whole         boolean not null,          -- neither limit nor date filter: may mark keys as gone
      cursor        text,                      -- OSS continuation token of the next page
      last_key      text collate "C",
      pages         integer not null default 0,
      listed        bigint not null default 0,
      counts        jsonb not null default '{}',  -- queued, unchanged, changed, failed_before, owned_elsewhere, ...
      left_out      jsonb not null default '{}',  -- reason: count
      error_code    text,
      error         text,
      started_at    timestamptz,
      finished_at   timestamptz,
      unique (run_id, prefix)
    )
    """,
    """
    create table results (
      result_id     bigint generated always as identity primary key,
      account       text not null,
      bucket        text not null,
      key           text collate "C" not null,
      migration     text not null,             -- the owner: the migration that saw it first
      size          bigint not null,
      etag          text not null,
      last_modified timestamptz not null,
      storage_class text not null,
      state         text not null default 'pending' check (state in ('pending', 'registered', 'failed', 'gone')),
      state_before_gone text,
      media_id      text,
      new_register  boolean,
      code          text,                      -- of the last answer that was no success
      message       text,
      request_id    text,
      description   jsonb,                     -- as it was sent
      attempts      smallint not null default 0,   -- refusals of this object
      no_answers    smallint not null default 0,   -- replies that did not name it
      nights        smallint not null default 0,   -- runs of mode new that tried it again
      alone         boolean not null default false,  -- to be tried once more, alone, at the end
      unsure        boolean not null default false,  -- its last call may have had an effect
      queued_run    text,                      -- the run that sends it
      settled_run   text,                      -- the run that gave it its state
      claim_token   uuid,
      discovered_at timestamptz not null default now(),
      registered_at timestamptz,
      updated_at    timestamptz not null default now(),
      unique (account, bucket, key)
    )
    """,
    # Only the work list is indexed by run, so the index stays as small as the backlog.
    "create index results_pending on results (queued_run, alone, result_id) where state = 'pending'",
    "create index results_by_state on results (account, migration, state, result_id) where state in ('failed', 'pending')",
    "create index results_claimed on results (claim_token) where claim_token is not null",
    "create index results_by_media on results (media_id) where media_id is not null",
    """
    create table claims (
      token         uuid primary key,
      run_id        text not null,
      slot          text not null,             -- the worker's place in its run: a retry takes its predecessor's
      worker        text not null,             -- host and pid, for people
      expires_at    timestamptz not null,
      created_at    timestamptz not null default now()
    )
    """,
    "create index claims_by_run on claims (run_id, slot)",
    """
    create table calls (
      call_id       uuid primary key,          -- made by the worker, so that recording twice is harmless
      run_id        text not null,
      worker        text not null,
      api           text not null,
      started_at    timestamptz not null,
      seconds       real not null,
      answer        text not null check (answer in ('ok', 'throttled', 'refused', 'transient', 'stopped')),
      http_status   smallint,
      code          text,
      message       text,
      request_id    text,
      files         smallint not null
    )
    """,
    "create index calls_by_run on calls (run_id, started_at)",
    # No foreign keys on the hot path: outcomes are only ever written with their call, in one statement.
    """
    create table outcomes (
      result_id     bigint not null,
      call_id       uuid,                      -- null: settled without a call
      run_id        text not null,
      outcome       text not null check (outcome in
                      ('registered', 'already_registered', 'failed', 'retry', 'unknown', 'late', 'superseded')),
      code          text,
      recorded_at   timestamptz not null default now()
    )
    """,
    "create index outcomes_by_result on outcomes (result_id)",
    "create index outcomes_by_run on outcomes (run_id, outcome)",
    """
    create table gone_candidates (
      scan_id       bigint not null references scans on delete cascade,
      result_id     bigint not null,
      primary key (scan_id, result_id)
    )
    """,
    """
    create table quotas (
      account       text not null,
      api           text not null,
      scope         text not null default '',  -- '' is the account itself; else a migration's or a run's own cap
      rate          double precision not null, -- calls per second
      next_at       timestamptz not null default '2000-01-01 00:00+00',
      factor        double precision not null default 1,  -- share of the rate in force at cut_at
      cut_at        timestamptz not null default '2000-01-01 00:00+00',
      primary key (account, api, scope)
    )
    """,
    # Whether nobody works on a run any more. By hand a run is one process, which holds the run's advisory lock as long as it
    # lives; in Airflow there are gaps between its tasks and their retries (at most 10 minutes), so silence must last longer.
    """
    create function vod_migrate_idle(run text) returns boolean language sql volatile as $$
      select coalesce((select state <> 'running' or origin = 'cli' or alive_at < now() - interval '15 minutes'
                       from runs where run_id = run), true)
         and pg_try_advisory_xact_lock(hashtextextended('run:' || run, 0))
    $$
    """,
    # The share of the rate in force now: slow to grow at first, so that a full account is probed seldom; then faster, so
    # that a burst of somebody else's is forgotten within 40 s. register/quota.py has the same in Python, and a test holds
    # the two together.
    """
    create function vod_migrate_share(factor double precision, cut_at timestamptz) returns double precision
    language sql volatile as $$
      select least(1, factor + 0.004 * seconds + 0.0005 * seconds * seconds)
      from (select least(3600, greatest(0, extract(epoch from clock_timestamp() - cut_at)))::double precision) as since (seconds)
    $$
    """,
)

TABLES = ("gone_candidates", "outcomes", "calls", "claims", "results", "scans", "runs", "quotas")


def upgrade() -> None:
    """Creates the first schema."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drops everything."""
    op.execute("drop function vod_migrate_share")
    op.execute("drop function vod_migrate_idle")
    for table in TABLES:
        op.execute(f"drop table {table}")
