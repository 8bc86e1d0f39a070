-- Whether database transactions of this database are prepared.
select exists (
    select from pg_catalog.pg_prepared_xacts where database = pg_catalog.current_database())
