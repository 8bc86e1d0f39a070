-- The names of all foreign servers, each with its wrapper's. It may run with its caller's search
-- path, in which another role's operators may come first.
select s.srvname::pg_catalog.text, w.fdwname::pg_catalog.text
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid operator(pg_catalog.=) s.srvfdw;
