-- As triggers_on_changed_tables.sql, for tables that lost a column to the current command.
select found.oid, found.tgrelid
from (
    select distinct d.objid
    from pg_catalog.pg_event_trigger_dropped_objects() d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objsubid > 0
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
