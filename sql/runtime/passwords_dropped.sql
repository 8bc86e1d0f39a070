-- Servers that the current command took a user mapping from that can have their password: the owner's, or
-- PUBLIC's.
select s.srvname::text
from pg_catalog.pg_event_trigger_dropped_objects() d
join pg_catalog.pg_foreign_server s on s.srvname = d.address_args[1]
where d.classid = 'pg_catalog.pg_user_mapping'::pg_catalog.regclass
  and d.address_names[1] in ('public', pg_catalog.pg_get_userbyid(s.srvowner));
