-- park_dropped.sql for a database whose extension is not updated to 0.3.0 yet and has no mark. Like the
-- scripts of releases it is frozen.
update s2s.queue
set due_at = 'infinity',
    last_error = case when due_at = 'infinity' then last_error else $2 end
where server = $1;
