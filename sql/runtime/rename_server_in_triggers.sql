-- Changes the first argument, the server, of triggers that call a function of the extension, also of the
-- copies that partitions have. Returns their tables. In pg_trigger a zero byte ends each argument.
--
-- $1, $2: the argument before and now
update pg_catalog.pg_trigger t
set tgargs = named.after || pg_catalog.substring(t.tgargs, pg_catalog.length(named.before) + 1)
from (
    select pg_catalog.convert_to($1::text, pg_catalog.getdatabaseencoding()) as before,
           pg_catalog.convert_to($2::text, pg_catalog.getdatabaseencoding()) as after
) named, pg_catalog.pg_proc f
join pg_catalog.pg_namespace n on n.oid = f.pronamespace and n.nspname = 's2s'
where f.oid = t.tgfoid and t.tgnargs > 0
  and pg_catalog.substring(t.tgargs, 1, pg_catalog.length(named.before) + 1)
      = named.before || '\x00'::bytea
returning t.tgrelid;
