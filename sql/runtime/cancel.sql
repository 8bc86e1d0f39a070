-- Removes the callback $1 of the server $3 from the queue and records that the role $2 cancelled it; one that
-- is marked as a dropped server's only if $4.
with gone as (
    delete from s2s.queue q
    where q.id = $1 and q.server = $3
      and ($4 or pg_catalog.to_jsonb(q) ->> 'server_dropped_at' is null)
    returning *
)
insert into s2s.attempt (callback_id, server, action, transaction_id, click_id, created_at, attempt,
                         started_at, duration, verdict, message)
select id, server, action, transaction_id, click_id, created_at, attempts,
       pg_catalog.clock_timestamp(), '0', 'cancelled', 'cancelled by ' || $2
from gone;
