-- The due times of callbacks that are not where they were read, and the names of their servers; NULL: they
-- have left the queue.
--
-- $1, $2, $3, $4: their numbers, the names and OIDs of their servers, and when they were queued
select t.callback_id, q.server, q.due_at
from unnest($1::bigint[], $2::text[], $3::oid[], $4::timestamptz[]) as t(callback_id, server, oid, created_at)
left join pg_catalog.pg_foreign_server s on s.oid = t.oid
left join s2s.queue q on q.server = any (array[t.server, s.srvname::text])
    and q.id = t.callback_id and q.created_at = t.created_at
