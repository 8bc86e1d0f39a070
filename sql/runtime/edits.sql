-- The edits queued for the server $1, parked ones too, in the order of queueing; none if its OID is not $2 by
-- this statement's snapshot, which may be older than the catalogs: then they are another server's.
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts
from s2s.queue q
where q.server = $1 and q.action = 'edit'
  and pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is null
  and $2::oid = (select s.oid from pg_catalog.pg_foreign_server s where s.srvname = $1)
order by q.id;
