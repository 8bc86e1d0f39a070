-- As triggers_on_changed_tables.sql, and those on tables that have their columns from a table that
-- the current command changed: partitions, children, and tables of a composite type. It goes up from
-- the triggers: a table can have thousands of partitions, and the way up is in an index.
with recursive source(trigger, on_table, oid) as (
    select t.oid, t.tgrelid, t.tgrelid
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc f on f.oid = t.tgfoid
    join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
    where not exists (
        select from pg_catalog.pg_trigger parent
        where parent.oid = t.tgparentid and parent.tgenabled <> 'D')
    union
    select source.trigger, source.on_table, above.oid
    from source
    cross join lateral (
        select i.inhparent from pg_catalog.pg_inherits i where i.inhrelid = source.oid
        union all
        select composite.typrelid
        from pg_catalog.pg_class typed
        join pg_catalog.pg_type composite on composite.oid = typed.reloftype
        where typed.oid = source.oid
    ) above(oid)
)
select distinct trigger, on_table
from source
where oid in (
    select c.objid from pg_catalog.pg_event_trigger_ddl_commands() c
    where c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
order by trigger;
