-- Makes the callback $1 of the server $2 due, as if it had never been tried: it precedes the later ones of its
-- transaction id again. One that is marked as a dropped server's stays.
update s2s.queue q set due_at = created_at, attempts = 0, last_error = null
where q.id = $1 and q.server = $2 and pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is null;
