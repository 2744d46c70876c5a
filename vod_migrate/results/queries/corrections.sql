-- Descriptions that were sent, and their corrections.

-- name: sent_of_keys
-- What was sent with those of some keys that are registered by a migration; nothing, where their media was imported.
select o.key, o.media_id, coalesce(o.sent, '{}') as sent, o.etag, o.settled_at
from unnest(:keys::text[]) as listed (key)
cross join lateral (select * from vod_migrate.objects o where o.source_id = :source_id and o.key = listed.key limit 1) o
where o.migration_id = :migration_id and o.registered and not o.gone;

-- name: save_sent$
-- What VOD has taken since; a fact that was settled anew in the meantime stays as it is. changed: the fields, for the object's history.
with corrected as (
  update vod_migrate.objects o set sent = coalesce(o.sent, '{}') || asked.sent
  from unnest(:keys::text[], :settled::timestamptz[], :sent::jsonb[], :changed::text[]) as asked (key, settled_at, sent, changed)
  where o.source_id = :source_id and o.key = asked.key and o.settled_at = asked.settled_at and o.registered
  returning o.key, asked.changed
), told as (
  insert into vod_migrate.events (source_id, run_no, what, key, message)
  select :source_id, :run_no, 'updated', key, changed from corrected
)
select count(*) from corrected;
