-- The surface as a whole: everything has a comment, nothing that acts is open to all.
select classid::regclass, objid, pg_describe_object(classid, objid, 0)
from pg_depend
where refclassid = 'pg_extension'::regclass and deptype = 'e'
  and refobjid = (select oid from pg_extension where extname = 'pgrx-ext')
  and classid in ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_class'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass,
                  'pg_namespace'::regclass, 'pg_foreign_data_wrapper'::regclass, 'pg_event_trigger'::regclass, 'pg_cast'::regclass)
  and obj_description(objid, classid::regclass::name) is null
  and not exists (select from pg_type t where t.oid = objid and classid = 'pg_type'::regclass
                  and (t.typelem <> 0 or t.typrelid <> 0))
  and not exists (select from pg_class c where c.oid = objid and classid = 'pg_class'::regclass and c.relkind in ('S', 'i'));
select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relnamespace = 's2s'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0 and not a.attisdropped
  and col_description(c.oid, a.attnum) is null;
select p.proname::text || '(' || pg_get_function_arguments(p.oid) || ') → ' || pg_get_function_result(p.oid) as function,
       case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end as volatility,
       proisstrict as strict, case proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end as parallel,
       case when has_function_privilege('public', p.oid, 'execute') then 'all' else 'granted' end as open_to
from pg_proc p where pronamespace = 's2s'::regnamespace order by 1;
select relname, relkind, relpersistence, relacl from pg_class where relnamespace = 's2s'::regnamespace and relkind in ('r', 'v', 'S') order by 1;
select extconfig::regclass[] from pg_extension where extname = 'pgrx-ext';
select attname, format_type(atttypid, atttypmod), attnotnull, attidentity from pg_attribute where attrelid = 's2s.queue'::regclass and attnum > 0;
select attname, format_type(atttypid, atttypmod), attnotnull, attidentity from pg_attribute where attrelid = 's2s.attempt'::regclass and attnum > 0;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 's2s.callback'::regclass and attnum > 0;
select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 's2s.server_status'::regclass and attnum > 0;
-- Any function loads the library, which defines the settings.
select s2s.url_encode(' ');
select name, boot_val, unit, context, min_val, max_val, enumvals from pg_settings where name like 's2s.%' order by 1;
