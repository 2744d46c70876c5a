-- What a shell completes.

-- name: names_like
-- Migrations by name, then the newest runs by ID, that begin with a text.
(select distinct m.name as found from vod_migrate.migrations m where starts_with(m.name, :begin) order by 1 limit :most)
union all
(select r.run_id from vod_migrate.runs r where starts_with(r.run_id, :begin) order by r.created_at desc, r.run_no desc limit :most);
