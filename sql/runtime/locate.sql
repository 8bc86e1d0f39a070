-- The due times of callbacks that are not where they were read; NULL: they have left the queue.
--
-- $1, $2, $3: their numbers, servers, and when they were queued
select t.callback_id, q.due_at
from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as t(callback_id, server, created_at)
left join s2s.queue q on q.server = t.server and q.id = t.callback_id and q.created_at = t.created_at
