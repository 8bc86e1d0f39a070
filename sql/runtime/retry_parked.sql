-- Makes all parked callbacks of the servers $1 due, as if they had never been tried.
update s2s.queue set due_at = created_at, attempts = 0, last_error = null
where due_at = 'infinity' and server = any ($1::text[]);
