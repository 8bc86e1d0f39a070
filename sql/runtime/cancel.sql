-- Removes the callback $1 from the queue and records that the role $2 cancelled it.
with gone as (delete from s2s.queue where id = $1 returning *)
insert into s2s.attempt (callback_id, server, action, transaction_id, click_id, created_at, attempt,
                         started_at, duration, verdict, message)
select id, server, action, transaction_id, click_id, created_at, attempts,
       pg_catalog.clock_timestamp(), '0', 'cancelled', 'cancelled by ' || $2
from gone;
