-- Whether any callback is due: what there is to wait for without a worker. Parked ones never are.
select exists (select from s2s.queue where due_at <= pg_catalog.now());
