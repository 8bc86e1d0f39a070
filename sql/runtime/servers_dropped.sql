-- Servers that the current command dropped, of whatever wrapper, which may be gone, too; NULL for a
-- user mapping.
select case when d.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass then d.object_name end
from pg_catalog.pg_event_trigger_dropped_objects() d
where d.classid in ('pg_catalog.pg_foreign_server'::pg_catalog.regclass,
                    'pg_catalog.pg_user_mapping'::pg_catalog.regclass);
