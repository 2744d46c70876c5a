-- What a planning process counts in temporary tables of its own.

-- name: make_scratch#
-- What a plan must see all of at once, on its own connection; it goes with the connection.
create temporary table planned_texts (key text collate "C" not null, title text not null) on commit preserve rows;
create temporary table planned_rows (key text collate "C" primary key) on commit preserve rows;
create temporary table planned_left (key text collate "C" primary key, sent boolean not null) on commit preserve rows;

-- name: note_named
-- Keys that a page of a manifest names; those that no page has named before come back.
insert into planned_rows select distinct key from unnest(:keys::text[]) as k (key) on conflict do nothing returning key;

-- name: note_left!
-- Keys that earlier runs left and that the source still shows. sent: whether the selection keeps them.
insert into planned_left select key, :sent from unnest(:keys::text[]) as k (key) on conflict do nothing;

-- name: left_shown
-- Which of some keys were noted so.
select key, sent from planned_left where key = any(:keys::text[]);

-- name: repeated_titles
-- How many titles occur more than once, on how many objects; and the most frequent ones, each with two keys.
with groups as materialized (
  select title as text, count(*) as n, min(key) as one, max(key) as other
  from planned_texts group by title having count(*) > 1
)
select (select count(*) from groups), (select sum(n)::bigint from groups), text, n, one, other
from groups order by n desc, text limit :most;

-- name: repeated_names
-- The same for file names.
with groups as materialized (
  select substring(key from '[^/]*$') as text, count(*) as n, min(key) as one, max(key) as other
  from planned_texts group by text having count(*) > 1
)
select (select count(*) from groups), (select sum(n)::bigint from groups), text, n, one, other
from groups order by n desc, text limit :most;
