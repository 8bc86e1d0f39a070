-- Gives callbacks of a dropped server to the server that has its name now: the callback $2, or all.
--
-- $1: the name
update s2s.queue set server_dropped_at = null
where server = $1 and server_dropped_at is not null and ($2::bigint is null or id = $2);
