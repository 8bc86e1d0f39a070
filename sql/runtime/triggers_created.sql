-- Triggers that the current command created and that call a function of the extension, with their
-- tables.
select t.oid, t.tgrelid
from pg_catalog.pg_event_trigger_ddl_commands() c
join pg_catalog.pg_trigger t on t.oid = c.objid
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
where c.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
order by t.oid;
