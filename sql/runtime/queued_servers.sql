-- The names of all servers that callbacks are queued for: one step through the index each.
with recursive server(name) as (
    (select q.server from s2s.queue q order by q.server limit 1)
    union all
    select (select q.server from s2s.queue q where q.server > server.name order by q.server limit 1)
    from server where server.name is not null
)
select name from server where name is not null
