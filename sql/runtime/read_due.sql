-- Callbacks that are due, in the order in which they are, without those that an earlier callback of
-- their transaction id holds.
--
-- A reading starts at a position, so that it skips the dead index entries of delivered callbacks.
-- now() can be looked up in the index, clock_timestamp() cannot. "offset 0" keeps the subquery one:
-- planned while nothing is parked, it would become an anti-join over all parked callbacks.
-- An action that a later version of the extension has added is left to that one.
--
-- $1: servers
-- $2, $3: for each, the due time and number after which to read
-- $4: how many of each
-- $5: their OIDs; nothing is read for a name that is another server's by now
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
      and q.action in ('lead', 'sale', 'edit')
      and not exists (
          select from s2s.holding h
          where h.server = q.server and h.action = q.action
            and h.transaction_id = q.transaction_id and h.id < q.id
          offset 0)
    order by q.due_at, q.id
    limit $4
) due
