-- The earliest due time in the future; parked callbacks have none.
--
-- $1: servers
select pg_catalog.min(later.due_at)
from unnest($1::text[]) as name(server)
cross join lateral (
    select q.due_at
    from s2s.queue q
    where q.server = name.server
      and q.due_at > pg_catalog.now() and q.due_at < 'infinity'
    order by q.due_at
    limit 1
) later
