-- Whether there are attempts that are too old. A look that finds none takes no lock that keeps others
-- from changing the table's definition or building an index.
--
-- $1: how old they may be, in seconds
with recursive server(name) as (
    (select a.server from s2s.attempt a order by a.server limit 1)
    union all
    select (select a.server from s2s.attempt a where a.server > server.name
            order by a.server limit 1)
    from server where server.name is not null
)
select exists (
    select from server
    cross join lateral (
        select from s2s.attempt a
        where a.server = server.name
          and a.started_at < pg_catalog.now() - $1 * interval '1 second'
        order by a.started_at
        limit 1
    ) old)
