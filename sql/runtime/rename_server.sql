-- Gives what is queued for a server its new name. What is marked as a dropped server's stays. (The mark is
-- looked up so that a table that is not updated to 0.3.0 yet needs no column of the name.)
--
-- $1, $2: the server's name before and now
update s2s.queue q
set server = $2
where q.server = $1 and pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is null;
