-- Makes the callback $1 due, as if it had never been tried: it precedes the later ones of its
-- transaction id again.
update s2s.queue set due_at = created_at, attempts = 0, last_error = null
where id = $1;
