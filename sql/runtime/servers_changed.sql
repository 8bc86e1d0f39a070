-- Servers of our networks that the current command made or changed, or whose user mappings it did.
select s.srvname::text, s.oid
from pg_catalog.pg_event_trigger_ddl_commands() c
left join pg_catalog.pg_user_mappings m
    on m.umid = c.objid and c.classid = 'pg_catalog.pg_user_mapping'::pg_catalog.regclass
join pg_catalog.pg_foreign_server s
    on s.oid = m.srvid
    or s.oid = c.objid and c.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
join pg_catalog.pg_proc validator on validator.oid = w.fdwvalidator
    and validator.pronamespace = 's2s'::pg_catalog.regnamespace;
