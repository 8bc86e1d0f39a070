-- Partitioned tables with a trigger that calls a function of the extension and whose first argument, the server,
-- is $1: a new partition gets a copy of it. In pg_trigger a zero byte ends each argument.
select distinct c.oid
from pg_catalog.pg_trigger t
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
join pg_catalog.pg_class c on c.oid = t.tgrelid and c.relkind = 'p'
cross join pg_catalog.convert_to($1::text, pg_catalog.getdatabaseencoding()) as name
where t.tgnargs > 0
  and pg_catalog.substring(t.tgargs, 1, pg_catalog.length(name) + 1) = name || '\x00'::bytea
order by c.oid;
