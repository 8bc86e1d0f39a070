-- read_due.sql for a database whose extension is not updated to 0.3.0 yet and has no view s2s.holding.
-- Like the scripts of releases it is frozen.
select due.id, due.server, due.action::text, due.transaction_id, due.click_id::text,
       due.parameters, due.created_at, due.due_at, due.attempts, after.oid
from unnest($1::text[], $2::timestamptz[], $3::bigint[], $5::oid[]) as after(server, due_at, id, oid)
cross join lateral (
    select q.*
    from s2s.queue q
    where q.server = after.server
      and after.oid is not distinct from (
          select s.oid from pg_catalog.pg_foreign_server s where s.srvname = after.server)
      and (q.due_at, q.id) > (after.due_at, after.id)
      and q.due_at <= pg_catalog.now()
      and not exists (
          select from s2s.queue e
          where e.server = q.server and e.action = q.action
            and e.transaction_id = q.transaction_id and e.id < q.id
            and (e.attempts > 0 or e.due_at = 'infinity')
          offset 0)
    order by q.due_at, q.id
    limit $4
) due
