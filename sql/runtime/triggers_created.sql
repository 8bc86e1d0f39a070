-- Triggers that the current command created and that call a function of the extension, with their
-- tables. "offset 0" keeps the subquery one: each is looked up by index, however many others there are.
select found.oid, found.tgrelid
from pg_catalog.pg_event_trigger_ddl_commands() c
cross join lateral (
    select t.oid, t.tgrelid
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc f on f.oid = t.tgfoid
    join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
    where t.oid = c.objid
    offset 0
) found
where c.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
order by found.oid;
