-- As triggers_on_changed_tables.sql, and those on tables that have their columns from a table that
-- the current command changed: partitions, children, and tables of a composite type.
with recursive changed(oid) as (
    select c.objid
    from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    union
    select below.oid
    from changed
    cross join lateral (
        select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = changed.oid
        union all
        -- No index of pg_class has the type.
        select typed.oid
        from pg_catalog.pg_class composite
        join pg_catalog.pg_depend d on d.refobjid = composite.reltype
            and d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
            and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        join pg_catalog.pg_class typed on typed.oid = d.objid and typed.reloftype = composite.reltype
        where composite.oid = changed.oid and composite.relkind = 'c'
        offset 0
    ) below(oid)
)
select found.oid, found.tgrelid
from changed
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
