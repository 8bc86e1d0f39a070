-- Makes all parked callbacks of the servers $1 due, as if they had never been tried. Those that are marked as
-- dropped servers' stay.
update s2s.queue q set due_at = created_at, attempts = 0, last_error = null
where q.due_at = 'infinity' and q.server = any ($1::text[])
  and pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is null;
