-- Triggers that call a function of the extension, on tables that the current command changed. A
-- partition's copy of its parent's trigger is left out, unless the parent's is disabled: then the
-- copy fires all the same.
--
-- "offset 0" keeps the subquery one: each table's triggers are looked up by index, however many other
-- tables have.
select found.oid, found.tgrelid
from (
    select distinct c.objid
    from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
) changed(oid)
cross join lateral (
    select t.oid, t.tgrelid
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc f on f.oid = t.tgfoid
    join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
    where t.tgrelid = changed.oid
      and not exists (
        select from pg_catalog.pg_trigger parent
        where parent.oid = t.tgparentid and parent.tgenabled <> 'D')
    offset 0
) found
order by found.oid;
