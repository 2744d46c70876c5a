"""What the pages read: who may see what, running totals, and the indexes of the search.

A page must not count millions of rows to show five numbers, and the numbers must be exact. So triggers keep totals beside the rows:
every statement adds its changes as rows of a tally, in its own transaction, and what is shown is their sum. Nothing is
ever updated in place, so workers never wait for each other; now and then a statement folds the changes of its migration or run
into one row each, skipping what another one is folding.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOLDED_SHARE = 0.02
"""One statement in fifty folds: a sum reads a hundred rows or so, and folding costs next to nothing."""

_SEEN = """
    create table migration_dags (
      account   text not null,
      migration text not null,
      dag_id    text not null,               -- '' for runs made by hand, outside Airflow
      primary key (account, migration, dag_id)
    );
    create index migration_dags_by_dag on migration_dags (dag_id);
    create function vod_migrate_see_run() returns trigger language plpgsql as $$
    begin
      insert into migration_dags (account, migration, dag_id)
      values (new.account, new.migration, coalesce(new.dag_id, ''))
      on conflict do nothing;
      return null;
    end $$;
    create trigger see_run after insert on runs for each row execute function vod_migrate_see_run();
    insert into migration_dags (account, migration, dag_id)
    select distinct account, migration, coalesce(dag_id, '') from runs;
"""

_INDEXES = """
    create index runs_by_dag on runs (dag_id, created_at desc, run_id desc) where dag_id is not null;
    create index runs_working on runs (account) where state = 'running';
    create index results_by_key on results (account, migration, state, key, result_id);
    create index results_by_code on results (account, migration, coalesce(code, 'no_code'), key, result_id)
      where state = 'failed';
    create index outcomes_failed on outcomes (run_id, coalesce(code, 'no_code'), result_id) where outcome = 'failed';
"""

# Calls without an outcome for each file (throttled, refused as a whole, lost): whom they carried.
_CARRIED = """
    alter table calls add column carried bigint[];
    create index calls_by_carried on calls using gin (carried) where carried is not null;
"""

# What a result counts as. Only pending ones are counted by run: their number is the backlog, and ends with it.
_KIND = """account, migration, state, case when state = 'failed' then coalesce(code, 'no_code') else '' end,
           case when state = 'pending' then coalesce(queued_run, '') else '' end, state = 'pending' and unsure"""

_RESULT_TALLIES = f"""
    create table result_tallies (
      account   text not null,
      migration text not null,
      state     text not null,
      code      text not null,               -- of failed results, else ''
      run_id    text not null,               -- of pending results: the run that sends them, else ''
      unsure    boolean not null,            -- of pending results: the last call may have had an effect
      objects   bigint not null              -- a change, or the sum of many
    );
    create index result_tallies_by_migration on result_tallies (account, migration);
    create function vod_migrate_tally_results() returns trigger language plpgsql as $$
    declare
      whose record;
    begin
      if tg_op = 'INSERT' then
        insert into result_tallies select {_KIND}, count(*) from arrived group by 1, 2, 3, 4, 5, 6;
        select account, migration into whose from arrived limit 1;
      elsif tg_op = 'DELETE' then
        insert into result_tallies select {_KIND}, -count(*) from departed group by 1, 2, 3, 4, 5, 6;
        select account, migration into whose from departed limit 1;
      else
        insert into result_tallies
        select {_KIND}, sum(change) from (
          select account, migration, state, code, queued_run, unsure, 1 as change from arrived
          union all
          select account, migration, state, code, queued_run, unsure, -1 from departed
        ) changes
        group by 1, 2, 3, 4, 5, 6 having sum(change) <> 0;
        if not found then return null; end if;  -- claims and other changes that no total shows
        select account, migration into whose from arrived limit 1;
      end if;
      if random() < {_FOLDED_SHARE} then
        with taken as (
          delete from result_tallies where ctid = any(array(
            select ctid from result_tallies where account = whose.account and migration = whose.migration
            for update skip locked))
          returning *
        )
        insert into result_tallies
        select account, migration, state, code, run_id, unsure, sum(objects) from taken
        group by 1, 2, 3, 4, 5, 6 having sum(objects) <> 0;
      end if;
      return null;
    end $$;
    create trigger tally_inserted after insert on results referencing new table as arrived
      for each statement execute function vod_migrate_tally_results();
    create trigger tally_updated after update on results referencing old table as departed new table as arrived
      for each statement execute function vod_migrate_tally_results();
    create trigger tally_deleted after delete on results referencing old table as departed
      for each statement execute function vod_migrate_tally_results();
    insert into result_tallies select {_KIND}, count(*) from results group by 1, 2, 3, 4, 5, 6;
"""  # noqa: S608 - our own words

# Outcomes and calls are only ever added; one kind of outcome becomes another (failed, then superseded).
_OUTCOME_TALLIES = f"""
    create table outcome_tallies (
      run_id    text not null,
      outcome   text not null,
      code      text not null,               -- of failed outcomes, else ''
      objects   bigint not null
    );
    create index outcome_tallies_by_run on outcome_tallies (run_id);
    create function vod_migrate_fold_outcomes(run text) returns void language sql volatile as $$
      with taken as (
        delete from outcome_tallies where ctid = any(array(
          select ctid from outcome_tallies where run_id = run for update skip locked))
        returning *
      )
      insert into outcome_tallies
      select run_id, outcome, code, sum(objects) from taken group by 1, 2, 3 having sum(objects) <> 0
    $$;
    create function vod_migrate_tally_outcomes() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        insert into outcome_tallies
        select run_id, outcome, case when outcome = 'failed' then coalesce(code, 'no_code') else '' end, count(*)
        from arrived group by 1, 2, 3;
        if random() < {_FOLDED_SHARE} then perform vod_migrate_fold_outcomes(run_id) from arrived limit 1; end if;
      else
        insert into outcome_tallies
        select run_id, outcome, case when outcome = 'failed' then coalesce(code, 'no_code') else '' end, sum(change)
        from (select run_id, outcome, code, 1 as change from arrived
              union all
              select run_id, outcome, code, -1 from departed) changes
        group by 1, 2, 3 having sum(change) <> 0;
      end if;
      return null;
    end $$;
    create trigger tally_inserted after insert on outcomes referencing new table as arrived
      for each statement execute function vod_migrate_tally_outcomes();
    create trigger tally_updated after update on outcomes referencing old table as departed new table as arrived
      for each statement execute function vod_migrate_tally_outcomes();
    insert into outcome_tallies
    select run_id, outcome, case when outcome = 'failed' then coalesce(code, 'no_code') else '' end, count(*)
    from outcomes group by 1, 2, 3;
"""  # noqa: S608 - our own words

_CALL_TALLIES = f"""
    create table call_tallies (
      run_id    text not null,
      stretch   bigint not null,             -- five seconds: the calls that began in it, counted from 1970
      answer    text not null,
      calls     bigint not null,
      files     bigint not null,
      folded    boolean not null default false
    );
    create index call_tallies_by_run on call_tallies (run_id, stretch);
    create index call_tallies_fresh on call_tallies (run_id, stretch) where not folded;
    create function vod_migrate_fold_calls(run text, before bigint) returns void language sql volatile as $$
      with taken as (
        delete from call_tallies where ctid = any(array(
          select ctid from call_tallies where run_id = run and stretch < before and not folded for update skip locked))
        returning *
      )
      insert into call_tallies
      select run_id, stretch, answer, sum(calls), sum(files), true from taken group by 1, 2, 3
    $$;
    create function vod_migrate_tally_calls() returns trigger language plpgsql as $$
    begin
      insert into call_tallies (run_id, stretch, answer, calls, files)
      select run_id, floor(extract(epoch from started_at) / 5), answer, count(*), sum(files)
      from arrived group by 1, 2, 3;
      -- Five seconds of calls become a row as soon as nobody adds to them any more: a call has 20 s to be answered.
      if random() < {_FOLDED_SHARE} then
        perform vod_migrate_fold_calls(run_id, floor(extract(epoch from started_at) / 5)::bigint - 5) from arrived limit 1;
      end if;
      return null;
    end $$;
    create trigger tally_inserted after insert on calls referencing new table as arrived
      for each statement execute function vod_migrate_tally_calls();
    insert into call_tallies
    select run_id, floor(extract(epoch from started_at) / 5), answer, count(*), sum(files), true
    from calls group by 1, 2, 3;
    create function vod_migrate_fold_run() returns trigger language plpgsql as $$
    begin
      perform vod_migrate_fold_outcomes(new.run_id);
      perform vod_migrate_fold_calls(new.run_id, 9223372036854775807);
      return null;
    end $$;
    create trigger fold_run after update on runs for each row
      when (old.state is distinct from new.state) execute function vod_migrate_fold_run();
"""  # noqa: S608 - our own words


def upgrade() -> None:
    """Adds tallies, triggers and indexes; existing rows are counted once, about a minute for ten million."""
    for statements in (_SEEN, _INDEXES, _CARRIED, _RESULT_TALLIES, _OUTCOME_TALLIES, _CALL_TALLIES):
        op.execute(statements)


def downgrade() -> None:
    """Takes them away; no result is lost, but which objects a call without an answer carried is forgotten."""
    for table, triggers in {
        "runs": ("see_run", "fold_run"),
        "results": ("tally_inserted", "tally_updated", "tally_deleted"),
        "outcomes": ("tally_inserted", "tally_updated"),
        "calls": ("tally_inserted",),
    }.items():
        for trigger in triggers:
            op.execute(f"drop trigger {trigger} on {table}")
    for function in (
        "see_run()",
        "fold_run()",
        "tally_results()",
        "tally_outcomes()",
        "tally_calls()",
        "fold_outcomes(text)",
        "fold_calls(text, bigint)",
    ):
        op.execute(f"drop function vod_migrate_{function}")
    for table in ("migration_dags", "result_tallies", "outcome_tallies", "call_tallies"):
        op.execute(f"drop table {table}")
    for index in ("runs_by_dag", "runs_working", "results_by_key", "results_by_code", "outcomes_failed"):
        op.execute(f"drop index {index}")
    op.execute("alter table calls drop column carried")
