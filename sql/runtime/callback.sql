-- The callback $1, if it is queued; by this statement's snapshot, the OID of the server that has its name, and
-- whether it is marked as a dropped server's. (A table that is not updated to 0.3.0 yet has no such column.)
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts,
       (select s.oid from pg_catalog.pg_foreign_server s where s.srvname = q.server),
       pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is not null
from s2s.queue q where q.id = $1;
