-- The edits queued for the server $1, parked ones too, in the order of queueing.
select q.id, q.server, q.action::text, q.transaction_id, q.click_id::text,
       q.parameters, q.created_at, q.due_at, q.attempts
from s2s.queue q
where q.server = $1 and q.action = 'edit'
order by q.id;
