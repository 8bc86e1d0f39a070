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
select due.id, due.server, due.action::text, due.transaction_id, due.click_id::text,
       due.parameters, due.created_at, due.due_at, due.attempts
from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as after(server, due_at, id)
cross join lateral (
    select q.*
    from s2s.queue q
    where q.server = after.server
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
