-- Parks what is queued for a server that was dropped, and marks it as no other server's. What was parked
-- before keeps its reason.
--
-- $1: the server's name
-- $2: the reason
update s2s.queue
set due_at = 'infinity',
    last_error = case when due_at = 'infinity' then last_error else $2 end,
    server_dropped_at = pg_catalog.now()
where server = $1 and server_dropped_at is null;
