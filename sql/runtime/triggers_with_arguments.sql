-- Triggers that call a function of the extension, except the copies that partitions have: name,
-- table, function, arguments as pg_trigger has them.
select t.tgname::text, c.relname::text, f.proname::text, t.tgargs
from pg_catalog.pg_trigger t
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
join pg_catalog.pg_class c on c.oid = t.tgrelid
where t.tgparentid = 0 and t.tgnargs > 0
order by t.oid;
