-- The callback $1, if it is queued.
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts
from s2s.queue q where q.id = $1;
