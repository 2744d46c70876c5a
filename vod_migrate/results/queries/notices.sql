-- What was told about runs.

-- name: claim_notice$
-- Whether a receiver is still to be told of an event of a run; from now on it is not.
insert into vod_migrate.notices (run_no, opened_at, event, receiver)
select run_no, reopened_at, :event, :receiver from vod_migrate.runs where run_no = :run_no
on conflict do nothing returning true;
