-- Plans: what a run would do, and what was decided about it.

-- name: save_plan!
-- A plan is kept with its run; planned again, the newer one counts.
insert into vod_migrate.plans (run_no, migration_id, digest, queue_no, body)
values (:run_no, :migration_id, :digest, :queue_no, :body)
on conflict (run_no) do update
set digest = excluded.digest, queue_no = excluded.queue_no, body = excluded.body, made_at = now(), approved = null, decided_by = null,
    decided_at = null;

-- name: superseded_queues
-- The queues of plans that this one takes the place of: of the same migration, mode, file and options, which nobody has approved.
select p.queue_no from vod_migrate.plans p join vod_migrate.runs r using (run_no)
join vod_migrate.runs mine on mine.run_no = :run_no
join vod_migrate.queues q on q.queue_no = p.queue_no
where p.migration_id = mine.migration_id and p.run_no <> mine.run_no and p.approved is null and q.gate = 'planning'
  and r.mode = mine.mode and r.spec = mine.spec and r.options = mine.options and r.local_date is not distinct from mine.local_date;

-- name: old_plan_queues
-- The queues of plans made before a moment; of those that never came to a plan, too.
select q.queue_no from vod_migrate.queues q
where q.gate in ('planning', 'approving') and q.made_at < :before
  and not exists (select 1 from vod_migrate.live_runs l where l.queue_no = q.queue_no);

-- name: plan_of_run^
-- The plan that a run made. kept: what it would send is still there.
select r.run_id, p.digest, p.queue_no, p.body, p.made_at, p.approved, p.decided_by, p.decided_at, q.gate = 'planning' as kept
from vod_migrate.plans p join vod_migrate.runs r using (run_no) join vod_migrate.queues q on q.queue_no = p.queue_no
where r.run_id = :run_id;

-- name: plans_of_digest
-- The plans whose digest begins with some digits, the newest of each digest, newest first.
select * from (
  select distinct on (p.digest) r.run_id, p.digest, p.queue_no, p.body, p.made_at, p.approved, p.decided_by, p.decided_at,
         q.gate = 'planning' as kept
  from vod_migrate.plans p join vod_migrate.runs r using (run_no) join vod_migrate.queues q on q.queue_no = p.queue_no
  where p.digest like :beginning || '%%' order by p.digest, p.made_at desc
) newest order by made_at desc limit :most;

-- name: decide_plan$
-- A person answered; the first yes stays. The plan's queue, nothing where it was too late.
update vod_migrate.plans p set approved = :approved, decided_by = :by, decided_at = now()
from vod_migrate.runs r
where r.run_id = :run_id and p.run_no = r.run_no and p.approved is distinct from true
returning p.queue_no;

-- name: mark_rejected!
-- A run whose plan nobody wanted says so; it only planned.
update vod_migrate.runs set stop_code = 'rejected', stop_message = :message where run_id = :run_id and state = 'planned';

-- name: use_queue!
-- The run works on a queue of its own from now on; that of its plan stays to be compared with.
update vod_migrate.runs set queue_no = :queue_no where run_no = :run_no;

-- name: work_after
-- The objects of the next block of a queue that has any, by key.
select block_id, key, size, etag, last_modified, storage_class, attributes, attempts, no_answers
from vod_migrate.work where block_id = (
  select b.block_id from vod_migrate.blocks b
  where b.queue_no = :queue_no and b.alone = :alone and b.block_id > :after
    and exists (select 1 from vod_migrate.work w where w.block_id = b.block_id)
  order by b.block_id limit 1)
order by key;
