-- Whether the current user may read the attempts.
select pg_catalog.has_table_privilege('s2s.attempt', 'select');
