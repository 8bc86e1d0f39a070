-- Makes all parked callbacks due, as if they had never been tried: those of the server $1, or of all.
update s2s.queue set due_at = created_at, attempts = 0, last_error = null
where due_at = 'infinity' and ($1::text is null or server = $1);
