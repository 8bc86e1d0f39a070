-- The foreign servers, with their options, the password (of the owner's user mapping, else of
-- PUBLIC's), and the owner.
select s.oid, s.srvname::text, w.fdwname::text,
       array(select o.option_name from pg_catalog.pg_options_to_table(s.srvoptions) o),
       array(select o.option_value from pg_catalog.pg_options_to_table(s.srvoptions) o),
       (select o.option_value
        from pg_catalog.pg_user_mapping m
        cross join lateral pg_catalog.pg_options_to_table(m.umoptions) o
        where m.umserver = s.oid and m.umuser in (s.srvowner, 0) and o.option_name = 'password'
        order by m.umuser = 0
        limit 1),
       s.srvowner
from pg_catalog.pg_foreign_server s
join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
