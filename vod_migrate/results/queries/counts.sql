-- The numbers of a run.

-- name: outcome_counts
-- The numbers of a run, from its tally: no row of it is counted again.
select outcome, sum(objects)::bigint from outcome_tallies where run_id = :run_id group by outcome having sum(objects) > 0;

-- name: outcome_counts_since
-- The same since a moment, for a run whose task was cleared after its end.
select outcome, count(*) from outcomes where run_id = :run_id and recorded_at >= :since group by outcome;

-- name: alone_left$
-- How many objects were refused once and wait for their second try.
select count(*) from results where queued_run = :run_id and state = 'pending' and alone;

-- name: broken_rows$
-- Failures of a run since a moment that came from rows of its manifest, and say nothing about VOD.
select count(*) from outcomes where run_id = :run_id and outcome = 'failed' and starts_with(code, 'row_')
  and recorded_at >= :since;

-- name: any_registered$
-- Whether the run's settings have proven themselves: in this run, or in an earlier one of exactly the same file.
select exists (
  select 1 from runs mine join runs alike using (account, migration, spec_digest)
  where mine.run_id = :run_id
    and exists (select 1 from outcomes o where o.run_id = alike.run_id and o.outcome in ('registered', 'already_registered'))
);

-- name: call_counts
-- The calls of a run by how they were answered.
select answer, sum(calls)::bigint from call_tallies where run_id = :run_id group by answer;

-- name: pending_counts^
-- What a run has left: to be sent, and of unknown outcome.
select coalesce(sum(t.objects) filter (where not t.unsure), 0)::bigint, coalesce(sum(t.objects) filter (where t.unsure), 0)::bigint
from runs r
join result_tallies t on t.account = r.account and t.migration = r.migration and t.state = 'pending' and t.run_id = r.run_id
where r.run_id = :run_id;
